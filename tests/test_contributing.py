"""The recipes of CONTRIBUTING.md, followed; and the habits it speaks of."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml

import qgnn_lightning
from qgnn_lightning.data import GraphBatch, random_split
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import PropagationConfig, make_messages
from qgnn_lightning.nn._factory import PropagationName
from qgnn_lightning.quantization import Precision, make_quantizer

_PROJECT = Path(__file__).parents[1]
_TEXT = (_PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_NAMES = [
    f"{module.name}.{name}"
    for module in pkgutil.iter_modules(qgnn_lightning.__path__, "qgnn_lightning.")
    if module.ispkg
    for name in importlib.import_module(module.name).__all__
]


def block(kind: str, language: str) -> str:
    """The one code block of a recipe in a language."""
    pattern = rf"## How to add a {kind}\n(.*?)(?=\n## |\Z)"
    (text,) = re.findall(pattern, _TEXT, re.DOTALL)
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return code


def recipe(kind: str) -> dict[str, Any]:
    """The names that the code of a recipe makes."""
    found: dict[str, Any] = {"__name__": "recipe"}
    exec(block(kind, "python"), found)
    return found


def edit(package: Path, diff: str) -> None:
    """Make the changes of a recipe; each must have one place."""
    for part in diff.removeprefix("--- ").split("\n--- "):
        name, _, hunks = part.partition("\n")
        path = package / name
        text = path.read_text(encoding="utf-8")
        for hunk in hunks.rstrip("\n").split("\n@@\n"):
            lines = hunk.split("\n")
            old, new = (
                "".join(f"{line[1:]}\n" for line in lines if line[0] in kept)
                for kept in (" -", " +")
            )
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A folder with a copy of the package to which all recipes were applied."""
    folder = tmp_path_factory.mktemp("recipes")
    package = folder / "qgnn_lightning"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_PROJECT / "qgnn_lightning", package, ignore=ignored)
    for kind in ("quantizer", "propagation", "data source"):
        (name,) = re.findall(rf"## How to add a {kind}\n\n1\. A class in `(\S+)`:", _TEXT)
        assert not (package / name).exists()
        (package / name).write_text(block(kind, "python"), encoding="utf-8")
        edit(package, block(kind, "diff"))
    (folder / "ring.yaml").write_text(block("data source", "yaml"), encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> str:
    """What a command of the copy prints."""
    outcome = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "qgnn_lightning", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_what_the_recipes_make_is_trained_packed_and_listed(extended):
    chosen = {
        "model.quantizer": "largest_value",
        "model.weight_quantizer": "largest_value",
        "model.input_quantizer": "largest_value",
        "model.propagation": "lazy",
        "model.bits": "int4",
    }
    options = [f"--{name}={value}" for name, value in chosen.items()]
    short = ["--trainer.max_epochs=3", "--run_dir=run", "--export=ring.safetensors"]
    run(extended, "fit", "-c", "ring.yaml", *options, *short)
    config = yaml.safe_load((extended / "run" / "config.yaml").read_text())
    assert config["data"]["source"] == "ring"
    checkpoint = torch.load(extended / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    tracked = [one for name, one in checkpoint["state_dict"].items() if name.endswith(".largest")]
    assert len(tracked) >= 4
    assert all((one > 0).any() for one in tracked)
    assert checkpoint["hyper_parameters"]["propagation"] == "lazy"
    assert "lazy" not in get_args(PropagationName)  # it was the copy that knew it
    run(extended, "predict", "--packed=ring.safetensors", "-c", "ring.yaml", "--output=p.csv")
    listed = run(extended, "list")
    found = re.findall(r"^  (largest_value|lazy|ring) ", listed, re.MULTILINE)
    assert set(found) == {"largest_value", "lazy", "ring"}


def test_the_lists_of_choices_agree_after_the_recipes(extended):
    code = (
        "from typing import get_args, get_type_hints\n"
        "from qgnn_lightning.cli._list import CHOICES\n"
        "from qgnn_lightning.data import GraphDataModule\n"
        "from qgnn_lightning.lightning_module import NodeClassifier\n"
        "owners = {'data': GraphDataModule, 'model': NodeClassifier}\n"
        "for option, choices in CHOICES.items():\n"
        "    part, name = option.split('.')\n"
        "    hints = get_type_hints(owners[part].__init__)\n"
        "    assert set(choices) == set(get_args(hints[name])), option\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(extended)}
    subprocess.run([sys.executable, "-c", code], cwd=extended, env=environment, check=True)


def test_a_quantizer():
    quantizer = recipe("quantizer")["LargestValueQuantizer"](4)
    x = torch.linspace(-2, 2, 101, requires_grad=True)
    with pytest.raises(RuntimeError, match="no range yet"):
        quantizer.eval()(x)
    value = quantizer.train().fake_quantize(x)
    quantizer.eval().fake_quantize(10 * x)
    assert quantizer.state_dict()["largest"] == 2  # evaluation has written nothing
    levels = quantizer.grid().levels
    torch.testing.assert_close(levels.diff(), torch.full((15,), 4 / 15))
    nearest = levels[(x.detach()[:, None] - levels).abs().argmin(1)]
    ties = ((x.detach()[:, None] - levels).abs().topk(2, largest=False).values.diff() < 1e-5)[:, 0]
    torch.testing.assert_close(value[~ties], nearest[~ties])
    assert quantizer.fake_quantize(torch.zeros(1)) == 0
    value.sum().backward()
    assert x.grad is not None
    rows = recipe("quantizer")["LargestValueQuantizer"](4, 3)
    rows.fake_quantize(torch.tensor([[1.0, -2.0], [3.0, 1.0], [0.5, 0.0]]))
    assert rows.largest.flatten().tolist() == [2.0, 3.0, 0.5]


def test_a_propagation():
    config = PropagationConfig(num_steps=5)
    messages = make_messages(config, Precision(), lambda bits: make_quantizer("min_max", bits))
    propagation = recipe("propagation")["LazyPropagation"](messages)
    edges = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    looped = torch.eye(4).index_put(tuple(edges), torch.ones(6))
    scale = looped.sum(1).rsqrt()
    walk = (torch.eye(4) + scale[:, None] * looped * scale) / 2
    x = torch.randn(4, 3)
    expected = torch.linalg.matrix_power(walk, 5) @ x
    torch.testing.assert_close(propagation(x, Adjacency.from_edge_index(edges, 4)), expected)


def test_a_data_source():
    source = recipe("data source")["RingSource"]()
    source.prepare(download=False)
    graph = source.load()
    split = random_split(graph.y, num_train_per_class=1, num_val=4, num_test=4, seed=0)
    masks = (split.train_mask, split.val_mask, split.test_mask)
    batch = GraphBatch.from_tensors(graph.x, graph.edge_index, graph.y, *masks)
    assert (batch.adjacency.rowptr.diff() == 3).all()


def test_pre_commit_runs_what_lint_runs():
    hooks = yaml.safe_load((_PROJECT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = re.search(r"^lint:.*\n\t(.*)", (_PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    assert [hook["entry"] for hook in hooks] == lint[1].replace("$(BIN)/", "").split(" && ")


def test_the_map_shows_every_part():
    parts = {module.name for module in pkgutil.iter_modules(qgnn_lightning.__path__)}
    assert parts - {"__main__"} <= set(re.findall(r"`(\w+)`", _TEXT))


@pytest.mark.parametrize("path", _NAMES)
def test_every_public_name_has_a_docstring(path):
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert found.__doc__, path
        assert not found.__doc__.startswith(f"{name}("), path  # what a dataclass makes itself
