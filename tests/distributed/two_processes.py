"""Runs of ``qgnn`` in two processes on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

_PROJECT = Path(__file__).parents[2]
EPOCHS = 5
NUM_TRAIN = 60

DATA = [
    "--data.source=block_model",
    "--data.num_nodes=240",
    "--data.num_edges=900",
    "--data.num_features=8",
    "--data.num_classes=3",
    "--data.split=random",
    "--data.num_train_per_class=20",
    "--data.num_val=60",
    "--data.num_test=90",
]
PARTITIONS = [
    "--data.batching=partitions",
    "--data.num_partitions=8",
    "--data.partitions_per_batch=2",
    "--data.partitioner=random",
]
MODEL = ["--model.hidden_features=8", "--model.num_steps=3", "--trainer.accelerator=cpu"]


def environment(**extra: str) -> dict[str, str]:
    """Variables of a fresh process: one thread, this package, nothing of another run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QGNN_RUN")}
    for name in ("LOCAL_RANK", "RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        kept.pop(name, None)
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(_PROJECT), **extra}


def start(folder: Path, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Start ``qgnn`` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "qgnn_lightning.cli", *arguments],
        cwd=folder,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fit(*arguments: str) -> list[str]:
    """Options of a training on parts, in two processes."""
    return ["fit", *DATA, *PARTITIONS, *MODEL, "--trainer.devices=2", *arguments]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
