"""A trained network keeps what its feature columns are called, and puts others in their order."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from commands import load, train_on_files

from qgnn_lightning.data import GraphDataModule, GraphOptionError
from qgnn_lightning.deploy import load_packed

COLUMNS = ("age", "income", "height")
SPLIT = ["--data.split=random", "--data.num_train_per_class=3", "--data.num_val=6"]
SPLIT += ["--data.num_test=9"]
CKPT = "run/checkpoints/best.ckpt"


def write_graph(folder: Path, columns: tuple[str, ...] = COLUMNS, order=(0, 1, 2)) -> Path:
    """Node i is of class i % 3, which the column with that number in ``COLUMNS`` tells."""
    folder.mkdir()
    nodes = range(30)
    rows = [f"n{node},k{node % 3}" for node in nodes]
    (folder / "labels.csv").write_text("\n".join(["node,label", *rows]) + "\n")
    cells = [",".join(str(int(node % 3 == kind)) for kind in order) for node in nodes]
    rows = [f"{cell},n{node}" for node, cell in enumerate(cells)]
    header = ",".join([*columns, "node"])
    (folder / "features.csv").write_text("\n".join([header, *rows]) + "\n")
    rows = [f"n{node},n{(node + 3) % 30}" for node in nodes]
    (folder / "edges.csv").write_text("\n".join(["source,target", *rows]) + "\n")
    return folder


@pytest.fixture
def trained(qgnn, tmp_path) -> Path:
    """A run on age, income and height, which it tells classes apart by without a mistake."""
    write_graph(tmp_path / "mine")
    train_on_files(qgnn, *SPLIT)
    return tmp_path


@pytest.fixture(params=["--packed=net.safetensors", f"--ckpt_path={CKPT}"])
def network(request, trained) -> str:
    return request.param


def source(root: str) -> list[str]:
    return ["--data.source=files", f"--data.root={root}"]


def predicted(qgnn, network: str, root: str) -> list[str]:
    outcome = qgnn("predict", network, *source(root), "--output=p.csv")
    assert (outcome.code, outcome.err) == (0, "")
    with Path("p.csv").open() as file:
        return [row["class"] for row in csv.DictReader(file)]


def test_another_order_is_mended(qgnn, network, trained):
    order = (2, 0, 1)
    write_graph(trained / "other", tuple(COLUMNS[column] for column in order), order)
    outcome = qgnn("test", network, *source("other"), *SPLIT)
    assert (outcome.code, outcome.err) == (0, "")
    assert "test/accuracy  100.0 %\n" in outcome.out
    assert predicted(qgnn, network, "other") == [f"k{node % 3}" for node in range(30)]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (
            ("income", "agee", "height"),
            "'age' is missing, 'agee' is not known; did you mean 'age' by 'agee'?",
        ),
        (("age", "x", "y"), "'income' is missing, 'x' is not known"),
        ((*COLUMNS, "zip"), "'zip' is not known"),
        (COLUMNS[:2], "'height' is missing"),
    ],
)
def test_other_names_are_refused(qgnn, network, trained, columns, fault):
    write_graph(trained / "other", columns, (0, 1, 2, 0)[: len(columns)])
    rule = "features.csv must have the columns that the network was trained on: "
    for command in (["test", *SPLIT], ["predict", "--output=p.csv"]):
        outcome = qgnn(command[0], network, *source("other"), *command[1:])
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert outcome.err.endswith(f"{rule}{fault}\n")


def test_graphs_and_networks_without_names_are_taken_as_they_are(qgnn, network, trained):
    other = write_graph(trained / "twice", ("age", "age", "height"))
    assert predicted(qgnn, network, "twice") == [f"k{node % 3}" for node in range(30)]
    stored = load(CKPT)
    assert stored["GraphDataModule"].pop("column_names") == list(COLUMNS)
    torch.save(stored, "old.ckpt")
    assert qgnn("export", "old.ckpt", "-o", "old.safetensors").code == 0
    assert load_packed("old.safetensors").column_names is None
    (other / "features.csv").unlink()
    (write_graph(trained / "new", ("x", "y", "z")) / "features.csv").rename(other / "features.csv")
    for old in ("--packed=old.safetensors", "--ckpt_path=old.ckpt"):
        assert predicted(qgnn, old, "twice") == [f"k{node % 3}" for node in range(30)]


def test_files_carry_the_names(qgnn, trained):
    assert load_packed("net.safetensors").column_names == COLUMNS
    assert qgnn("export", CKPT, "-o", "again.safetensors").code == 0
    again = Path("again.safetensors").read_bytes()
    assert again == Path("net.safetensors").read_bytes()
    results = json.loads(Path("run/results.json").read_text())
    assert results["size_bytes"]["file"] == len(again)


@pytest.mark.parametrize("names", [["a", "b"], ["a"] * 3, ["a", "b", 3], "abc"])
def test_damaged_names_are_refused(qgnn, trained, names):
    stored = load(CKPT)
    stored["GraphDataModule"]["column_names"] = names
    torch.save(stored, "x.ckpt")
    outcome = qgnn("test", "--ckpt_path=x.ckpt", *source("mine"))
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "x.ckpt is damaged: column_names must be" in outcome.err


def test_a_program_is_told_of_another_order(trained):
    """What reads a checkpoint without the command line."""
    state = load(CKPT)["GraphDataModule"]
    data = GraphDataModule("files", root=str(write_graph(trained / "other", COLUMNS[::-1])))
    data.setup("predict")
    with pytest.raises(GraphOptionError, match="are not those of the checkpoint"):
        data.load_state_dict(state)
