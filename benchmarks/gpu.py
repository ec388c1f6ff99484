"""Training and inference on a CUDA GPU, beside PyG and cuSPARSE on the same GPU.

On a power-law graph of ogbn-arxiv's size: the time of a training epoch (one step on the whole
graph) in float32, in two bits, each also with bf16 autocast in the linear layers, and of PyG's
APPNP; and the time of a propagation of ten steps by cuSPARSE (torch's CSR product), by PyG's
MessagePassing and by our packed Triton kernels. All take turns in one process.

Example: ``python benchmarks/gpu.py --output benchmarks/speed/results/gpu.json``
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from qgnn_lightning.baselines import make_network
from qgnn_lightning.bench import (
    Candidate,
    Outcome,
    PropagationTask,
    Protocol,
    environment,
    measure,
    random_graph,
)
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import NetworkConfig
from qgnn_lightning.quantization import make_precision
from qgnn_lightning.storage import atomic_path

NUM_STEPS, NUM_FEATURES, NUM_CLASSES, HIDDEN = 10, 128, 40, 256
INFERENCE = ("fp32-csr", "fp32-pyg", "int8-direct", "int4-direct", "int2-direct", "int2-delta")


class PygAppnp(nn.Module):
    """PyG's APPNP behind two linear layers, on float32 features."""

    def __init__(self, adjacency: Adjacency) -> None:
        from torch_geometric.nn import APPNP

        super().__init__()
        self.encoder = nn.Linear(NUM_FEATURES, HIDDEN)
        self.classifier = nn.Linear(HIDDEN, NUM_CLASSES)
        self.propagation = APPNP(NUM_STEPS, 0.1, cached=True)
        self.edges = torch.stack([adjacency.col, adjacency.row])

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Class scores."""
        hidden = torch.relu(self.encoder(functional.dropout(x, 0.5, self.training)))
        scores = self.classifier(functional.dropout(hidden, 0.5, self.training))
        result: Tensor = self.propagation(scores, self.edges)
        return result


def training(adjacency: Adjacency, device: torch.device) -> list[Candidate]:
    """One epoch of each network."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(adjacency.num_nodes, NUM_FEATURES, generator=draw).to(device)
    y = torch.randint(NUM_CLASSES, (adjacency.num_nodes,), generator=draw).to(device)

    def candidate(name: str, network: nn.Module, bf16: bool) -> Candidate:
        network = network.to(device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)

        def epoch() -> Tensor:
            optimizer.zero_grad()
            with torch.enable_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = functional.cross_entropy(network(x, adjacency), y)
                loss.backward()
            optimizer.step()
            return loss.detach()

        return Candidate(name, "fp32", "one epoch", epoch, 0)

    found = [candidate("pyg-appnp", PygAppnp(adjacency), bf16=False)]
    for bits in ("float32", "int2"):
        for bf16 in (False, True):
            config = NetworkConfig(HIDDEN, precision=make_precision(bits, None))
            network = make_network(NUM_FEATURES, NUM_CLASSES, config)
            found.append(candidate(bits + ("-bf16" if bf16 else ""), network, bf16))
    return found


def inference(adjacency: Adjacency, device: torch.device) -> list[Candidate]:
    """One propagation by each path."""
    x = torch.randn(adjacency.num_nodes, 64, generator=torch.Generator().manual_seed(0))
    task = PropagationTask(adjacency, x.to(device), NUM_STEPS)
    return [task.candidate(name) for name in INFERENCE]


def timed(candidates: Sequence[Candidate], repeats: int, wait: Callable[[], None]) -> list[Outcome]:
    """Measure side by side, each call to its end on the device."""

    def waiting(candidate: Candidate) -> Candidate:
        def run() -> Tensor:
            result = candidate.run()
            wait()
            return result

        return dataclasses.replace(candidate, run=run, twin=None)

    return measure([waiting(one) for one in candidates], None, Protocol(repeats))


def plain(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Median, fastest and all times by name."""
    return {
        one.candidate.name: {
            "median_seconds": one.timing.median,
            "fastest_seconds": one.timing.fastest,
            "seconds": one.timing.seconds,
        }
        for one in outcomes
    }


def main(arguments: list[str]) -> None:
    """Measure on the GPU and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--nodes", type=int, default=169_343)
    parser.add_argument("--edges", type=int, default=1_157_799)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a CUDA GPU, and torch finds none here")
    device = torch.device("cuda")
    adjacency = random_graph("power_law", options.nodes, options.edges).to(device)
    record: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/gpu.py", *arguments]),
        "environment": environment(),
        "gpu": torch.cuda.get_device_name(device),
        "num_nodes": adjacency.num_nodes,
        "num_non_zeros": adjacency.num_edges,
    }
    for name, make in (("training", training), ("inference", inference)):
        outcomes = timed(make(adjacency, device), options.repeats, torch.cuda.synchronize)
        record[name] = plain(outcomes)
        for one in outcomes:
            print(f"{name} {one.candidate.name}: median {1e3 * one.timing.median:.2f} ms")
    if options.output:
        with atomic_path(options.output) as path:
            path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
