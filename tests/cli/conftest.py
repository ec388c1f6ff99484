from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from qgnn_lightning.cli import main

#: A graph on which an epoch takes milliseconds.
SMALL = (
    "--data.source=block_model --data.num_nodes=60 --data.num_edges=150 --data.num_features=8 "
    "--data.num_classes=3 --data.split=random --data.num_train_per_class=5 --data.num_val=15 "
    "--data.num_test=20 --model.hidden_features=8 --model.num_steps=3 --trainer.accelerator=cpu"
).split()


class Outcome(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def qgnn(monkeypatch, capsys, tmp_path) -> Command:
    """Run the command line in an empty folder."""
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    monkeypatch.delenv("QGNN_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def fit(qgnn) -> Command:
    """Train on the small graph; 3 epochs, without observers, unless told otherwise."""

    def run(*arguments: str) -> Outcome:
        return qgnn("fit", *SMALL, "--trainer.max_epochs=3", "--observers=false", *arguments)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Directory of a run that only reading tests share."""
    path = tmp_path_factory.mktemp("trained") / "run"
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["qgnn"])
        options = ["--trainer.max_epochs=6", "--model.dropout=0.3", "--observers=false"]
        assert main(["fit", *SMALL, *options, f"--run_dir={path}"]) == 0
    return path


def load(path: Path) -> dict:
    """A checkpoint, as safely as the program reads it."""
    return torch.load(path, weights_only=True)


def assert_same_weights(first: Path, second: Path) -> None:
    """The state of two checkpoints is the same, bit for bit."""
    one, other = load(first)["state_dict"], load(second)["state_dict"]
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
