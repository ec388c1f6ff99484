"""The packed models of the project load, and are as accurate as their table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.deploy import load_packed

FOLDER = Path(__file__).parents[2] / "checkpoints"
ROW = re.compile(r"\| `(\w+)\.safetensors` \| ([\d,]+) \| ([\d.]+) % \|")
TABLE = {row[1]: row for row in ROW.finditer((FOLDER / "README.md").read_text())}


def test_every_file_is_in_the_table():
    assert {path.stem for path in FOLDER.glob("*.safetensors")} == set(TABLE)


def data_module(name: str, request: pytest.FixtureRequest) -> GraphDataModule:
    if name == "digits":
        return GraphDataModule()
    root = request.getfixturevalue("data_root") / "planetoid"
    title = {"cora": "Cora", "citeseer": "CiteSeer"}[name]
    return GraphDataModule(source="planetoid", name=title, root=str(root), download=False)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_accuracy_is_that_of_the_table(name, request):
    path = FOLDER / f"{name}.safetensors"
    assert f"{path.stat().st_size:,}" == TABLE[name][2]
    data = data_module(name.split("_")[0], request)
    data.prepare_data()
    data.setup()
    batch = data.graph
    mask = batch.mask("test")
    classes = load_packed(path)(batch.x, batch.adjacency).argmax(1)
    accuracy = (classes[mask] == batch.y[mask]).float().mean()
    assert f"{100 * accuracy:.1f}" == TABLE[name][3]
