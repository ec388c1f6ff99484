"""Time per propagation step against the number of non-zeros, and what memory allows at best.

The graphs are uniform with the average degree of ogbn-arxiv. Beside the measured times stand two
models of the bytes that a step moves, divided by the measured memory bandwidth: ``streamed`` counts
every array once (no step can be faster), ``gathered`` counts every neighbour's row as read from
memory (a step is faster than that as long as the rows fit into the caches).

Example: ``python benchmarks/speed/scaling.py --threads 2``
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Before torch is there: threads that spin while they wait disturb whatever runs next.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from qgnn_lightning import kernels
from qgnn_lightning.bench import (
    Candidate,
    Outcome,
    Progress,
    PropagationTask,
    Protocol,
    environment,
    measure,
    memory_bandwidth,
    memory_bytes,
    random_graph,
)
from qgnn_lightning.provenance import num_cpus
from qgnn_lightning.storage import atomic_path

RESULTS = Path(__file__).parent / "results"
SIZES = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 25_000_000, 50_000_000]
CANDIDATES = ["fp32-bag", "fp32-sum", "int8-direct", "int4-direct", "int2-direct", "int2-delta"]
#: Undirected edges per node of ogbn-arxiv.
EDGES_PER_NODE = 1_157_799 / 169_343
ROWPTR_BYTES, COL_BYTES, FLOAT_BYTES, CARRIED_BYTES = 8, 4, 4, 2
#: Arrays of float32 features that are there at the same time, at most.
LARGEST_NUMBER_OF_ARRAYS = 12
#: Memory of the graph while it is drawn, per non-zero.
GRAPH_BYTES = 100


@dataclass(frozen=True)
class Bytes:
    """Bytes that one step moves.

    Args:
        streamed: Every array once.
        gathered: A row of features for every non-zero.
    """

    streamed: int
    gathered: int


def moved_bytes(name: str, num_nodes: int, num_nonzeros: int, num_features: int) -> Bytes:
    """The model: index, messages of the neighbours, state of the node itself.

    A float32 step reads the restart and writes the result. A packed step writes packed codes and
    reads the restart, in 16 bits; delta-sigma reads and writes its residual instead, of 16 bits
    too.

    Args:
        name: The candidate.
        num_nodes: Nodes.
        num_nonzeros: Non-zeros.
        num_features: Features.
    """
    floats = FLOAT_BYTES * num_features
    row, own = floats, 2 * floats
    if name.startswith("int"):
        row = kernels.PackedLayout(num_features, int(name[3])).row_bytes
        own = row + CARRIED_BYTES * num_features
    if name.endswith("-delta"):
        own += CARRIED_BYTES * num_features
    index = COL_BYTES * num_nonzeros + ROWPTR_BYTES * num_nodes
    if name == "fp32-bag":
        index += FLOAT_BYTES * num_nonzeros
    return Bytes(
        index + num_nodes * (row + own),
        index + num_nonzeros * row + num_nodes * own,
    )


def needed_bytes(num_nonzeros: int, num_features: int) -> float:
    """Memory of one size of the study, roughly."""
    num_nodes = num_nonzeros / (2 * EDGES_PER_NODE + 1)
    arrays = LARGEST_NUMBER_OF_ARRAYS * FLOAT_BYTES * num_nodes * num_features
    return arrays + GRAPH_BYTES * num_nonzeros


def measure_size(
    num_nonzeros: int, options: argparse.Namespace, progress: Progress
) -> dict[str, Any]:
    """Time every candidate on one graph; the time per step is that of all steps over their number.

    Args:
        num_nonzeros: Non-zeros of the graph, about.
        options: The options.
        progress: Where to tell how far it is.
    """
    progress.show(f"{num_nonzeros:,} non-zeros: drawing the graph")
    num_nodes = max(round(num_nonzeros / (2 * EDGES_PER_NODE + 1)), 64)
    num_edges = max((num_nonzeros - num_nodes) // 2, 1)
    adjacency = random_graph("uniform", num_nodes, num_edges, options.seed)
    torch.manual_seed(options.seed)
    x = torch.randn(num_nodes, options.num_features)
    task = PropagationTask(adjacency, x, options.num_steps)
    candidates = []
    for name in options.candidates:
        progress.show(f"{num_nonzeros:,} non-zeros: preparing {name}")
        candidates.append(untwinned(task.candidate(name)))
    outcomes = measure(candidates, None, Protocol(options.repeats), progress)
    entries = {
        one.candidate.name: entry(one, num_nodes, adjacency.num_edges, options) for one in outcomes
    }
    return {"num_nodes": num_nodes, "num_nonzeros": adjacency.num_edges, "candidates": entries}


def untwinned(candidate: Candidate) -> Candidate:
    """Without the comparison, which takes longer than the measurement; `qgnn bench` makes it."""
    return Candidate(
        candidate.name,
        candidate.family,
        candidate.description,
        candidate.run,
        candidate.message_bytes,
    )


def entry(
    outcome: Outcome, num_nodes: int, num_nonzeros: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Seconds per step and the bytes of the model."""
    steps, name = options.num_steps, outcome.candidate.name
    moved = moved_bytes(name, num_nodes, num_nonzeros, options.num_features)
    return {
        "seconds_per_step": outcome.timing.median / steps,
        "min": outcome.timing.fastest / steps,
        "max": outcome.timing.slowest / steps,
        "runs": len(outcome.timing.seconds),
        "bytes": asdict(moved),
    }


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw time per step against non-zeros, both axes logarithmic.

    Args:
        results: The results.
        path: The figure.
    """
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams["svg.hashsalt"] = "scaling"
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    bandwidth, sizes = results["bandwidth_bytes_per_second"], results["sizes"]
    non_zeros = [size["num_nonzeros"] for size in sizes]
    for number, name in enumerate(results["settings"]["candidates"]):
        entries = [size["candidates"][name] for size in sizes]
        colour = f"C{number}"
        times = [1e3 * one["seconds_per_step"] for one in entries]
        axes.plot(non_zeros, times, "o-", color=colour, label=name, markersize=4)
        limit = [1e3 * one["bytes"]["streamed"] / bandwidth for one in entries]
        gathered = [1e3 * one["bytes"]["gathered"] / bandwidth for one in entries]
        axes.plot(non_zeros, limit, ":", color=colour, linewidth=1)
        axes.plot(non_zeros, gathered, "--", color=colour, linewidth=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("non-zeros")
    axes.set_ylabel("time per step in ms")
    settings = results["settings"]
    axes.set_title(
        f"{settings['num_features']} features, {settings['threads']} threads; memory at "
        f"{bandwidth / 1e9:.1f} GB/s:\ndotted: every array once, dashed: every neighbour's row",
        fontsize=10,
    )
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, format=path.suffix[1:], metadata={"Date": None})


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=SIZES, help="non-zeros of the graphs")
    add("--num_features", type=int, default=64)
    add("--num_steps", type=int, default=10)
    add("--threads", type=int, default=num_cpus())
    add("--repeats", type=int, default=7)
    add("--candidates", nargs="+", default=CANDIDATES)
    add("--seed", type=int, default=0)
    add("--max_gigabytes", type=float, default=0.7 * (memory_bytes() or 16e9) / 1e9)
    add("--bandwidth_floats", type=int, default=1 << 26, help="length of the triad's arrays")
    add("--output", type=Path, default=RESULTS, help="folder of scaling.json and scaling.svg")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Run the study and write its files."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    limit = 1e9 * options.max_gigabytes
    sizes = [size for size in options.sizes if needed_bytes(size, options.num_features) <= limit]
    for size in sorted(set(options.sizes) - set(sizes)):
        print(f"left out {size:,} non-zeros: more than {limit / 1e9:.1f} GB", file=sys.stderr)
    progress = Progress()
    results: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/speed/scaling.py", *arguments]),
        "settings": {
            name: getattr(options, name)
            for name in ("num_features", "num_steps", "threads", "repeats", "candidates", "seed")
        },
        "environment": environment(),
        "bandwidth_bytes_per_second": memory_bandwidth(options.bandwidth_floats),
        "left_out": sorted(set(options.sizes) - set(sizes)),
        "sizes": [],
    }
    for size in sizes:
        measured = measure_size(size, options, progress)
        results["sizes"].append(measured)
        times = measured["candidates"].items()
        listed = ", ".join(f"{name} {1e3 * one['seconds_per_step']:.3g}" for name, one in times)
        print(f"{measured['num_nonzeros']:>11,} non-zeros, ms per step: {listed}", flush=True)
    with atomic_path(options.output / "scaling.json") as path:
        path.write_text(json.dumps(results, indent=1) + "\n")
    with atomic_path(options.output / "scaling.svg") as path:
        draw(results, path)


if __name__ == "__main__":
    main(sys.argv[1:])
