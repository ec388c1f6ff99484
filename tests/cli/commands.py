"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

#: A graph on which an epoch takes milliseconds.
SMALL = [
    "--data.source=block_model",
    "--data.num_nodes=60",
    "--data.num_edges=150",
    "--data.num_features=8",
    "--data.num_classes=3",
    "--data.split=random",
    "--data.num_train_per_class=5",
    "--data.num_val=15",
    "--data.num_test=20",
    "--model.hidden_features=8",
    "--model.num_steps=3",
    "--trainer.accelerator=cpu",
]


class Outcome(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


def load(path: Path | str) -> dict[str, Any]:
    """A checkpoint, as safely as the program reads it."""
    return torch.load(path, weights_only=True)


def assert_same_weights(first: Path | str, second: Path | str) -> None:
    """The state of two checkpoints is the same, bit for bit."""
    one, other = load(first)["state_dict"], load(second)["state_dict"]
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def train_on_files(qgnn: Command, *data: str) -> None:
    """Train on the graph in the folder ``mine`` without a mistake, and pack the network."""
    files = ["--data.source=files", "--data.root=mine", *data]
    model = ["--model.hidden_features=8", "--model.num_steps=2", "--model.dropout=0"]
    training = ["--trainer.max_epochs=30", "--observers=false", "--run_dir=run"]
    outcome = qgnn("fit", *files, *model, *training, "--export=net.safetensors")
    assert outcome.code == 0, outcome.err
    assert "test accuracy  100.0 %" in outcome.out
