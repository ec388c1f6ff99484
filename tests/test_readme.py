"""Every command and every example of the README runs."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy
import pytest
import torch
import yaml

from qgnn_lightning.cli import main
from qgnn_lightning.study import read_study

_PROJECT = Path(__file__).parents[1]
_README = (_PROJECT / "README.md").read_text(encoding="utf-8")
_QUICK = ["--trainer.max_epochs=1", "--observers=false"]


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", _README, flags=re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[str]:
    """The command lines that start with a program."""
    lines = "".join(blocks("bash")).splitlines()
    return [line for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def graph() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    masks = {}
    for index, name in enumerate(("train_mask", "val_mask", "test_mask")):
        masks[name] = torch.arange(30) % 3 == index
    return {
        "x": torch.rand(30, 4),
        "edge_index": torch.randint(30, (2, 80)),
        "y": torch.arange(30) // 3 % 2,
        **masks,
    }


def write_own_graph(path: Path) -> None:
    """A ring of 30 nodes as CSV files."""
    path.mkdir()
    parts = ("train", "val", "test")
    tables = {
        "labels": ["label", *("ab"[node // 3 % 2] for node in range(30))],
        "features": ["x", *(str(node // 3 % 2 + node / 30) for node in range(30))],
        "edges": ["source,target", *(f"{node},{(node + 1) % 30}" for node in range(30))],
        "split": ["split", *(parts[node % 3] for node in range(30))],
    }
    for name, lines in tables.items():
        (path / f"{name}.csv").write_text("\n".join(lines))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder that sees the configurations, as the project's own does."""
    for name in ("configs", "benchmarks"):
        (tmp_path / name).symlink_to(_PROJECT / name)
    write_own_graph(tmp_path / "my_graph")
    write_own_graph(tmp_path / "another_graph")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    return tmp_path


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (_PROJECT / "Makefile").read_text()
    targets = [line.split()[1] for line in commands("make")]
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_training_and_using_a_run(folder, data_root):
    planetoid = f"--data.root={data_root / 'planetoid'}"
    fits = [line for line in commands("qgnn") if line.startswith("qgnn fit")]
    assert len(fits) >= 3
    for number, line in enumerate(fits):
        run = ["--run_dir", f"run{number}", *_QUICK]
        source = [planetoid] if "configs" in line and "digits" not in line else []
        assert main([*shlex.split(line)[1:], *source, *run]) == 0, line
    trained = max(
        number for number, line in enumerate(fits) if "cora" in line and "dry_run" not in line
    )
    used = [line for line in commands("qgnn") if line not in [*fits, *comparisons()]]
    assert len(used) >= 5
    for line in used:
        arguments = shlex.split(line.replace("RUN", f"run{trained}"))[1:]
        assert main([*arguments, *([planetoid] if "-c" in arguments else [])]) == 0, line


def comparisons() -> list[str]:
    """The commands that start many runs."""
    return [line for line in commands("qgnn") if line.startswith(("qgnn seeds", "qgnn study"))]


def test_comparisons(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(_PROJECT))
    assert len(comparisons()) == 2
    for line in comparisons():
        quick = [*_QUICK, "--seeds=1"] if "seeds -c" in line else []
        assert main([*shlex.split(line)[1:], *quick]) == 0, line
    assert (folder / "seeds" / "results.md").is_file()


def test_the_study_of_the_example_is_read(folder):
    (text,) = blocks("text")
    place = folder / "a" / "b"
    place.mkdir(parents=True)
    (place / "study.yaml").write_text(text)
    assert len(read_study(place / "study.yaml", {}).cells()) == 3


def test_python_examples(graph):
    packed, own_graph, pyg_model = blocks("python")
    file = str(_PROJECT / "checkpoints" / "digits_int2.safetensors")
    both = torch.cat([graph["edge_index"], graph["edge_index"].flip(0)], dim=1)
    used: dict = {"x": torch.rand(30, 64), "edge_index": both}
    exec(compile(packed.replace("model.safetensors", file), "README.md", "exec"), used)
    assert used["classes"].shape == (30,)
    quick = own_graph.replace(
        "max_epochs=200",
        "max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, "
        "enable_model_summary=False, accelerator='cpu'",
    )
    assert quick != own_graph
    exec(compile(quick, "README.md", "exec"), dict(graph))
    space: dict = {}
    exec(compile(pyg_model, "README.md", "exec"), space)
    model = space["Model"](4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mask = graph["train_mask"]
    ascents: list[None] = []
    model.propagation.ascend = lambda: ascents.append(None)
    space["train_step"](model, optimizer, graph["x"], both, graph["y"], mask)
    assert len(ascents) == 1
    scores = model.eval()(graph["x"], both)
    assert scores.shape == (30, 2)
    assert scores.isfinite().all()


def test_own_graph_from_a_file(folder, graph):
    (text,) = blocks("yaml")
    numpy.savez("my_graph.npz", **{name: value.numpy() for name, value in graph.items()})
    Path("own.yaml").write_text(text)
    assert yaml.safe_load(text)["data"]["root"] == "my_graph.npz"
    assert main(["fit", "-c", "own.yaml", "--run_dir", "own", *_QUICK]) == 0


def test_choices_in_the_table_exist():
    for option, choices in re.findall(r"^\| (`--[^|]*) \| ([^|]*) \|$", _README, re.MULTILINE):
        for name in re.findall(r"--(?:model|data)\.(\w+)", option):
            for choice in re.findall(r"`(\w[\w-]*)`", choices):
                assert _accepted(name, choice), (name, choice)


def _accepted(name: str, choice: str) -> bool:
    from typing import get_args, get_type_hints

    from qgnn_lightning.data import GraphDataModule
    from qgnn_lightning.lightning_module import NodeClassifier

    for owner in (NodeClassifier, GraphDataModule):
        hints = get_type_hints(owner.__init__)
        alternatives = get_args(hints.get(name))  # of a Literal, or of "a Literal or None"
        if choice in alternatives or any(choice in get_args(one) for one in alternatives):
            return True
    return False
