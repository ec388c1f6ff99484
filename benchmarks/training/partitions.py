"""Full batch against partitions on a graph of the size of ogbn-arxiv: memory, time and accuracy.

    python benchmarks/training/partitions.py --epochs 3

Both train the same number of epochs, passes over the training nodes, on the same graph with the
same network; each runs in a process of its own, at the same time. Memory is the peak that the
training adds to the process that holds the graph, evaluation on the whole graph included. Both run
with MALLOC_MMAP_THRESHOLD_=131072: otherwise glibc keeps freed tensors of up to 32 MB, and the peak
shows what it keeps and not what is needed.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import json
import logging
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything

from qgnn_lightning.bench._memory import extra_peak
from qgnn_lightning.data import GraphBatch, GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent


def communities(num_nodes: int, noise: float) -> GraphBatch:
    """A block model of small communities, most of whose members are of one of 40 classes.

    Citation graphs are like that: METIS finds the communities, and about two thirds of the edges
    join nodes of one class.
    """
    draw = torch.Generator().manual_seed(0)
    data = GraphDataModule(
        "block_model",
        num_nodes=num_nodes,
        num_edges=num_nodes * 1_160_000 // 169_343,
        num_features=1,
        num_classes=338,
        homophily=0.85,
        split="random",
        num_train_per_class=num_nodes // 338 // 2,
        num_val=num_nodes // 10,
        num_test=num_nodes // 5,
    )
    data.setup("test")
    found = data.graph
    y = found.y % 40
    other = torch.rand(num_nodes, generator=draw) < 0.15
    y[other] = torch.randint(0, 40, (int(other.sum()),), generator=draw)
    means = torch.nn.functional.normalize(torch.randn(40, 128, generator=draw))
    x = means[y] + noise * torch.randn(num_nodes, 128, generator=draw)
    return dataclasses.replace(found, x=x, y=y)


def _trainer(epochs: int) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        check_val_every_n_epoch=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def measure(options: argparse.Namespace, batching: str) -> dict:
    """Train and test in this process."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    seed_everything(options.seed, verbose=False)
    torch.set_num_threads(options.threads)
    data = GraphDataModule.from_graph(
        communities(options.num_nodes, options.noise),
        batching=batching,
        num_partitions=options.num_partitions,
        partitions_per_batch=options.partitions_per_batch,
    )
    start = time.perf_counter()
    data.setup("fit")
    setup_seconds = time.perf_counter() - start
    _trainer(1).fit(NodeClassifier(), GraphDataModule("digits"))  # imports what training needs
    trainer = _trainer(options.epochs)
    model = NodeClassifier(bits=options.bits)
    seconds = 0.0

    def fit() -> torch.Tensor:
        nonlocal seconds
        start = time.perf_counter()
        trainer.fit(model, datamodule=data)
        seconds = time.perf_counter() - start
        return torch.zeros(())

    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what setting up has freed must not hide the growth
    _, peak = extra_peak(fit)
    (test,) = trainer.test(model, datamodule=data, verbose=False)
    nodes = [batch.num_nodes for batch in data.train_dataloader()]
    return {
        "test_accuracy": test["test/accuracy"],
        "peak_bytes_added": peak,
        "fit_seconds": seconds,
        "setup_seconds": setup_seconds,
        "steps": trainer.global_step,
        "epochs": options.epochs,
        "largest_batch_nodes": max(nodes),
        "num_edges": data.graph.adjacency.num_edges,
    }


def _start(batching: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, *sys.argv[1:], "--only", batching],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 17)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-nodes", type=int, default=169_343)
    parser.add_argument("--num-partitions", type=int, default=256)
    parser.add_argument("--partitions-per-batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--bits", default="int2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", choices=("full", "partitions"))
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options, options.only)))
        return
    found = {}
    processes = {name: _start(name) for name in ("partitions", "full")}
    for batching, process in processes.items():
        output, _ = process.communicate()
        if process.returncode:
            sys.exit(f"{batching} failed")
        found[batching] = json.loads(output.splitlines()[-1])
        print(batching, json.dumps(found[batching]), flush=True)
    ratio = found["full"]["peak_bytes_added"] / found["partitions"]["peak_bytes_added"]
    print(f"memory ratio {ratio:.1f}")
    commit = subprocess.check_output(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, text=True
    )
    settings = {k: v for k, v in vars(options).items() if k not in ("output", "only")}
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "commit": commit.strip(),
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine()},
        "settings": settings,
        "memory_ratio": ratio,
        **found,
    }
    if options.output:
        options.output.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
