"""The recipes of CONTRIBUTING.md, followed; and the habits it speaks of."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import qgnn_lightning
from qgnn_lightning.data import GraphBatch, random_split
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import PropagationConfig, make_messages
from qgnn_lightning.quantization import Precision, make_quantizer

_PROJECT = Path(__file__).parents[1]
_TEXT = (_PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_NAMES = [
    f"{module.name}.{name}"
    for module in pkgutil.iter_modules(qgnn_lightning.__path__, "qgnn_lightning.")
    if module.ispkg
    for name in importlib.import_module(module.name).__all__
]


def recipe(kind: str) -> dict[str, Any]:
    """The names that the code of a recipe makes."""
    (code,) = re.findall(rf"## How to add a {kind}\n.*?```python\n(.*?)```", _TEXT, re.DOTALL)
    found: dict[str, Any] = {"__name__": "recipe"}
    exec(code, found)
    return found


def test_a_quantizer():
    quantizer = recipe("quantizer")["UnitRangeQuantizer"]()
    x = torch.linspace(-2, 2, 101, requires_grad=True)
    value = quantizer.fake_quantize(x)
    levels = quantizer.grid().levels
    torch.testing.assert_close(levels.diff(), torch.full((15,), 2 / 15))
    nearest = levels[(x.detach()[:, None] - levels).abs().argmin(1)]
    ties = ((x.detach()[:, None] - levels).abs().topk(2, largest=False).values.diff() < 1e-5)[:, 0]
    torch.testing.assert_close(value[~ties], nearest[~ties])
    assert quantizer.fake_quantize(torch.zeros(1)) == 0
    value.sum().backward()
    assert x.grad is not None


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
