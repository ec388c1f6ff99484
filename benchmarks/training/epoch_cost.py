"""What an epoch of training costs in two bits and in float32, on a graph of ogbn-arxiv's size.

An epoch is one step on the whole graph: forward, cross-entropy, backward, Adam, ascent on the
multipliers. Both networks live in one process and take turns. After the timing each does one more
step under torch.profiler, whose operations, with the largest time of their own, go into the result.

Example: ``python benchmarks/training/epoch_cost.py --threads 2``
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from qgnn_lightning.baselines import make_network
from qgnn_lightning.bench import environment, random_graph
from qgnn_lightning.nn import (
    NetworkConfig,
    PropagatingNetwork,
    PropagationConfig,
    SmoothnessAwarePropagation,
    parameter_groups,
)
from qgnn_lightning.quantization import make_precision
from qgnn_lightning.storage import atomic_path

NUM_NODES, NUM_EDGES = 169_343, 1_157_799
NUM_FEATURES, NUM_CLASSES = 128, 40
TRAIN_SHARE = 0.54
NUM_OPERATIONS = 12


def epochs(options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """One epoch of each network, on the same graph."""
    num_nodes = NUM_NODES // options.smaller
    adjacency = random_graph("power_law", num_nodes, NUM_EDGES // options.smaller)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(num_nodes, NUM_FEATURES, generator=draw)
    y = torch.randint(NUM_CLASSES, (num_nodes,), generator=draw)
    train = torch.rand(num_nodes, generator=draw) < TRAIN_SHARE

    def of(bits: str) -> Callable[[], None]:
        torch.manual_seed(0)
        config = NetworkConfig(
            options.hidden,
            precision=make_precision(bits, None),
            propagation=PropagationConfig(num_steps=options.num_steps),
        )
        network = make_network(NUM_FEATURES, NUM_CLASSES, config)
        groups = parameter_groups(
            network, learning_rate=0.01, weight_decay={"": 5e-4}, range_learning_rate=0.01
        )
        optimizer = torch.optim.Adam(groups)
        assert isinstance(network, PropagatingNetwork)
        propagation = network.propagation
        assert isinstance(propagation, SmoothnessAwarePropagation)

        def epoch() -> None:
            optimizer.zero_grad()
            functional.cross_entropy(network(x, adjacency)[train], y[train]).backward()
            optimizer.step()
            propagation.ascend()

        return epoch

    return {bits: of(bits) for bits in ("float32", options.bits)}


def seconds(call: Callable[[], None]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def operations(call: Callable[[], None]) -> list[dict]:
    """The operations of one call that take the most time of their own."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        call()
    found = sorted(profiler.key_averages(), key=lambda one: -one.self_cpu_time_total)
    return [
        {"name": one.key, "milliseconds": one.self_cpu_time_total / 1e3, "calls": one.count}
        for one in found[:NUM_OPERATIONS]
    ]


def main(arguments: list[str]) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--bits", default="int2")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--num-steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smaller", type=int, default=1, help="divides nodes and edges")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    calls = epochs(options)
    for call in calls.values():
        call()
        call()  # what the first step sets up is not timed
    times: dict[str, list[float]] = {bits: [] for bits in calls}
    for _ in range(options.repeats):
        for bits, call in calls.items():
            times[bits].append(seconds(call))
    median = {bits: statistics.median(found) for bits, found in times.items()}
    fastest = {bits: min(found) for bits, found in times.items()}
    for bits in calls:
        print(f"{bits}: median {median[bits]:.3f} s, fastest {fastest[bits]:.3f} s per epoch")
    record = {
        "command": shlex.join(["python", "benchmarks/training/epoch_cost.py", *arguments]),
        "environment": environment(),
        "settings": {key: value for key, value in vars(options).items() if key != "output"},
        "num_nodes": NUM_NODES // options.smaller,
        "num_edges": NUM_EDGES // options.smaller,
        "ratio_of_medians": median[options.bits] / median["float32"],
        "ratio_of_fastest": fastest[options.bits] / fastest["float32"],
        "median_seconds": median,
        "fastest_seconds": fastest,
        "seconds": times,
        "operations": {bits: operations(call) for bits, call in calls.items()},
    }
    print(
        f"ratio {record['ratio_of_medians']:.2f}, of the fastest {record['ratio_of_fastest']:.2f}"
    )
    if options.output:
        with atomic_path(options.output) as path:
            path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
