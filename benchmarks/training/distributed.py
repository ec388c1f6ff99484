"""Seconds per epoch on parts of a graph, with one process and with two (DDP, gloo, one core each).

The graph is that of ``partitions.py``. Both see every part once per epoch; two processes do half
as many steps, of two batches each. Runs take turns; the first epoch of each, which sets things up,
does not count, nor does evaluation.

Example: ``python benchmarks/training/distributed.py --num-nodes 42336``
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from partitions import communities

from qgnn_lightning.bench import environment
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.storage import atomic_path


class EpochTimes(Callback):
    """Seconds of every training epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._start)


def train(options: argparse.Namespace) -> None:
    """Train in this process, or start others and train with them; the first prints the times."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = GraphDataModule.from_graph(
        communities(options.num_nodes, noise=0.3),
        batching="partitions",
        num_partitions=options.num_partitions,
        partitions_per_batch=options.partitions_per_batch,
    )
    times = EpochTimes()
    trainer = Trainer(
        accelerator="cpu",
        devices=options.only,
        strategy="ddp" if options.only > 1 else "auto",
        max_epochs=options.epochs + 1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[times],
    )
    trainer.fit(NodeClassifier(bits=options.bits), datamodule=data)
    if trainer.is_global_zero:
        print(json.dumps({"steps": trainer.global_step, "seconds": times.seconds[1:]}))


def main(arguments: list[str]) -> None:
    """Run one process and two in turns, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--num-nodes", type=int, default=169_343)
    parser.add_argument("--num-partitions", type=int, default=64)
    parser.add_argument("--partitions-per-batch", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--bits", default="int2")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", type=int, help="this number of processes")
    options = parser.parse_args(arguments)
    if options.only:
        train(options)
        return
    seconds: dict[int, list[float]] = {1: [], 2: []}
    load = [os.getloadavg()[0]]
    for _ in range(options.rounds):
        for processes, found in seconds.items():
            command = [sys.executable, __file__, *arguments, "--only", str(processes)]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found += json.loads(run.stdout.splitlines()[-1])["seconds"]
            load.append(os.getloadavg()[0])
            print(f"{processes}: {statistics.median(found):.2f} s per epoch", flush=True)
    median = {processes: statistics.median(found) for processes, found in seconds.items()}
    fastest = {processes: min(found) for processes, found in seconds.items()}
    record = {
        "command": shlex.join(["python", "benchmarks/training/distributed.py", *arguments]),
        "environment": environment(),
        "settings": {k: v for k, v in vars(options).items() if k not in ("output", "only")},
        "load_average": load,
        "median_seconds_per_epoch": median,
        "fastest_seconds_per_epoch": fastest,
        "nodes_per_second": {n: options.num_nodes / one for n, one in median.items()},
        "speedup_of_medians": median[1] / median[2],
        "speedup_of_fastest": fastest[1] / fastest[2],
        "seconds_per_epoch": seconds,
    }
    if options.output:
        with atomic_path(options.output) as path:
            path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
