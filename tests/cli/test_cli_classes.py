"""A trained network keeps what its classes are called, whatever graph it is asked about."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import load, train_on_files

from qgnn_lightning.data import GraphBatch, GraphDataModule, GraphOptionError
from qgnn_lightning.deploy import load_packed, save_packed

NAMES = ("ant", "bee", "cat")
SPLIT = ["--data.split=random", "--data.num_train_per_class=3", "--data.num_val=6"]
SPLIT += ["--data.num_test=9"]
OTHER = ["--data.split=random", "--data.num_train_per_class=1", "--data.num_val=2"]
OTHER += ["--data.num_test=20"]


def write_graph(folder: Path, labels: list[str]) -> Path:
    """Node i is of kind i % 3 by its features and its edges, whatever its label."""
    folder.mkdir()
    nodes = range(len(labels))
    rows = [f"n{node},{label}" for node, label in enumerate(labels)]
    (folder / "labels.csv").write_text("\n".join(["node,label", *rows]) + "\n")
    kinds = [",".join(str(int(node % 3 == kind)) for kind in range(3)) for node in nodes]
    rows = [f"n{node},{kind}" for node, kind in enumerate(kinds)]
    (folder / "features.csv").write_text("\n".join(["node,a,b,c", *rows]) + "\n")
    rows = [f"n{node},n{(node + 3) % len(nodes)}" for node in nodes]
    (folder / "edges.csv").write_text("\n".join(["source,target", *rows]) + "\n")
    return folder


def kinds(names: tuple[str, ...] = NAMES, count: int = 33) -> list[str]:
    return [names[node % 3] for node in range(count)]


@pytest.fixture
def trained(qgnn, tmp_path) -> Path:
    """A run on the classes ant, bee and cat, which it tells apart without a mistake."""
    write_graph(tmp_path / "mine", kinds(count=30))
    train_on_files(qgnn, *SPLIT)
    return tmp_path / "run"


@pytest.fixture(params=["--packed=net.safetensors", "--ckpt_path=run/checkpoints/best.ckpt"])
def network(request, trained) -> str:
    return request.param


def predicted(qgnn, network: str, root: str) -> list[str]:
    source = ["--data.source=files", f"--data.root={root}"]
    outcome = qgnn("predict", network, *source, "--output=p.csv")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    with Path("p.csv").open() as file:
        return [row["class"] for row in csv.DictReader(file)]


def test_classes_are_compared_by_name(qgnn, network, tmp_path):
    """Two of the three, whose numbers are others there."""
    labels = [label if label != "ant" else "" for label in kinds()]
    write_graph(tmp_path / "other", labels)
    source = ["--data.source=files", "--data.root=other", *OTHER[:-1], "--data.num_test=10"]
    outcome = qgnn("test", network, *source)
    assert outcome.code == 0, outcome.err
    assert "test/accuracy  100.0 %\n" in outcome.out
    assert predicted(qgnn, network, "other") == kinds()


def test_other_labels_are_refused_in_a_test_and_not_looked_at_in_a_prediction(
    qgnn, network, tmp_path
):
    write_graph(tmp_path / "other", kinds(("zebra", "cat", "ant")))
    outcome = qgnn("test", network, "--data.source=files", "--data.root=other", *OTHER)
    assert outcome.code == 2
    assert "other has the class zebra, which the network was not trained on" in outcome.err
    assert outcome.err.endswith("it knows ant, bee, cat\n")
    assert predicted(qgnn, network, "other") == kinds()


def test_a_graph_without_labels_and_split_is_predicted(qgnn, network, tmp_path):
    other = write_graph(tmp_path / "other", [""] * 33)
    assert predicted(qgnn, network, "other") == kinds()
    (other / "split.csv").write_text("node,split\nn0,test\n")
    assert predicted(qgnn, network, "other") == kinds()
    outcome = qgnn("test", network, "--data.source=files", "--data.root=other", *OTHER)
    assert outcome.code == 1
    assert "labels.csv must hold labels of at least two classes, got 0" in outcome.err


def test_another_graph_is_tested_on_the_split_that_it_brings(qgnn, network, tmp_path):
    """The network was trained on a random one."""
    other = write_graph(tmp_path / "other", kinds())
    rows = [f"n{node},test" for node in range(4)]
    (other / "split.csv").write_text("\n".join(["node,split", *rows]) + "\n")
    outcome = qgnn("test", network, "--data.source=files", "--data.root=other")
    assert outcome.code == 0, outcome.err
    assert "test/accuracy  100.0 %\n" in outcome.out
    (other / "split.csv").unlink()
    outcome = qgnn("test", network, "--data.source=files", "--data.root=other")
    assert outcome.code != 0
    assert "split" in outcome.err


def test_numbers_stay_numbers(qgnn, network, tmp_path):
    write_graph(tmp_path / "other", kinds(("0", "1", "2")))
    source = ["--data.source=files", "--data.root=other", *OTHER]
    assert "test/accuracy  100.0 %\n" in qgnn("test", network, *source).out
    write_graph(tmp_path / "more", kinds(("0", "1", "3")))
    source = ["--data.source=files", "--data.root=more", *OTHER]
    outcome = qgnn("test", network, *source)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "more has 4 classes, the network was trained on 3" in outcome.err


def test_files_carry_the_names(qgnn, trained):
    assert load_packed("net.safetensors").class_names == NAMES
    assert qgnn("export", "run/checkpoints/best.ckpt", "-o", "again.safetensors").code == 0
    assert load_packed("again.safetensors").class_names == NAMES
    assert "classes: ant, bee, cat" in qgnn("info", "net.safetensors").out


def test_names_do_not_command_the_terminal(qgnn, trained):
    network = replace(load_packed("net.safetensors"), class_names=("\x1b[31mant", "b\nee", "cat"))
    save_packed(network, "net.safetensors")
    assert "classes: ?[31mant, b?ee, cat\n" in qgnn("info", "net.safetensors").out
    write_graph(Path("other"), kinds(("zebra", "cat", "ant")))
    source = ["--data.source=files", "--data.root=other", *OTHER]
    outcome = qgnn("test", "--packed=net.safetensors", *source)
    assert outcome.err.endswith("it knows ?[31mant, b ee, cat\n")


@pytest.mark.parametrize("names", [["ant", "bee"], ["ant"] * 3, ["ant", "bee", 3], "abc"])
def test_damaged_names_are_refused(qgnn, trained, names):
    shutil.copy("run/checkpoints/best.ckpt", "x.ckpt")
    stored = load("x.ckpt")
    stored["GraphDataModule"]["class_names"] = names
    torch.save(stored, "x.ckpt")
    for command in (
        ["test", "--ckpt_path=x.ckpt", "--data.source=files", "--data.root=mine"],
        ["export", "x.ckpt", "-o", "x.safetensors"],
    ):
        outcome = qgnn(*command)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert "x.ckpt is damaged: class_names must be" in outcome.err


def test_a_program_is_told_of_other_classes_too(trained, tmp_path):
    """What reads a checkpoint without the command line."""
    state = load("run/checkpoints/best.ckpt")["GraphDataModule"]
    options = {"split": "random", "num_train_per_class": 1, "num_val": 2, "num_test": 20}
    other = write_graph(tmp_path / "other", kinds(("cat", "cow", "ant")))
    data = GraphDataModule("files", root=str(other), **options)
    data.setup("predict")
    data.load_state_dict(state)
    assert data.class_names == NAMES
    data.setup("test")
    assert data.class_names == ("ant", "cat", "cow")
    with pytest.raises(GraphOptionError, match="are not those of the checkpoint"):
        data.load_state_dict(state)


def test_a_graph_in_memory_has_no_names():
    x, y = torch.eye(4), torch.tensor([0, 1, 0, 1])
    masks = torch.eye(4, dtype=torch.bool)[:3]
    graph = GraphBatch.from_tensors(x, torch.tensor([[0, 1], [1, 0]]), y, *masks)
    data = GraphDataModule.from_graph(graph)
    data.load_state_dict({**data.state_dict(), "class_names": ["no", "yes"]})
    assert data.names.classes is None


def test_a_training_does_not_go_on_with_other_labels(qgnn, trained):
    again = ["fit", "--data.source=files", "--data.root=mine", *SPLIT, "--model.num_steps=2"]
    again += ["--model.hidden_features=8", "--model.dropout=0", "--observers=false"]
    again += ["--run_dir=run", "--resume=auto", "--trainer.max_epochs=31"]
    labels = kinds(count=30)
    shutil.rmtree("mine")
    write_graph(Path("mine"), [*labels[1:], labels[0]])
    results = Path("run/results.json").read_bytes()
    outcome = qgnn(*again)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "the labels of files mine are not those that the training began with" in outcome.err
    assert Path("run/results.json").read_bytes() == results
    shutil.rmtree("mine")
    write_graph(Path("mine"), labels)
    assert qgnn(*again).code == 0


def test_a_graph_with_test_nodes_only_is_tested_and_not_trained_on(qgnn, network, tmp_path):
    other = write_graph(tmp_path / "other", kinds())
    source = ["--data.source=files", "--data.root=other", "--data.split=public"]
    (other / "split.csv").write_text("node,split\nn0,test\nn1,test\nn32,test\n")
    outcome = qgnn("test", network, *source)
    assert outcome.code == 0, outcome.err
    found = dict(line.split(None, 1) for line in outcome.out.splitlines())
    assert found["test/accuracy"] == "100.0 %"
    assert found.keys() <= {"test/accuracy", "test/loss"}
    for command in (["fit"], ["validate", "--ckpt_path=run/checkpoints/best.ckpt"]):
        outcome = qgnn(*command, *source)
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert "split.csv must put at least one node in train and in val\n" in outcome.err
    (other / "split.csv").write_text("node,split\nn0,train\nn1,val\n")
    outcome = qgnn("test", network, *source)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "split.csv must put at least one node in test\n" in outcome.err
