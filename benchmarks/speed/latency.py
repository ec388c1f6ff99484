"""Latency of a small packed network called over and over, each candidate in a process of its own.

In the turns of ``qgnn bench`` every candidate finds the caches full of what the others did, and
threads asleep; here it finds its own data there, and its threads awake.

Example: ``python benchmarks/speed/latency.py``
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from qgnn_lightning.bench import ModelTask, environment, packed_task
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.deploy import load_packed
from qgnn_lightning.provenance import num_cpus
from qgnn_lightning.storage import atomic_path

ROOT = Path(__file__).parents[2]
CANDIDATES = ("fp32-csr", "fp32-bag", "fp32-sum", "packed")


def task(name: str, root: str | None) -> ModelTask:
    """The shipped network of 2 bits of a graph of Planetoid.

    Args:
        name: Name of the graph.
        root: Folder of the raw files, if not the user's cache.
    """
    data = GraphDataModule("planetoid", name, root)
    data.prepare_data()
    data.setup("predict")
    packed = load_packed(ROOT / "checkpoints" / f"{name.lower()}_int2.safetensors")
    return packed_task(data.graph.adjacency, data.graph.x, packed)


def median_seconds(name: str, candidate: str, options: argparse.Namespace) -> float:
    """Median of the calls but for the first tenth, in this process.

    Args:
        name: Name of the graph.
        candidate: What is called.
        options: The options, with one number of threads.
    """
    calls = options.calls
    torch.set_num_threads(*options.threads)
    run, seconds = task(name, options.root).candidate(candidate).run, []
    with torch.no_grad():
        for _ in range(calls):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[calls // 10 :])


def in_its_own_process(
    name: str, candidate: str, threads: int, options: argparse.Namespace
) -> float:
    """The same, in another process."""
    command = [sys.executable, __file__, "--one", name, candidate]
    command += [f"--threads={threads}", f"--calls={options.calls}"]
    command += [] if options.root is None else [f"--root={options.root}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.split()[-1])


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--graphs", nargs="+", default=["Cora", "CiteSeer"])
    add("--threads", type=int, nargs="+", default=sorted({1, num_cpus()}))
    add("--calls", type=int, default=4000)
    add("--repeats", type=int, default=5, help="processes of each candidate, whose median counts")
    add("--output", type=Path, default=Path(__file__).parent / "results" / "latency.json")
    add("--root", help="folder of the raw files of Planetoid; by default the user's cache")
    add("--one", nargs=2, metavar="WORD", help="a graph and a candidate: in this process, only it")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Run the study and write its file."""
    options = parse(arguments)
    if options.one:
        print(median_seconds(*options.one, options))
        return
    found: list[dict[str, Any]] = []
    for name in options.graphs:
        for threads in options.threads:
            # In turns, so that all of them see the same hours of the machine.
            turns = [
                {one: in_its_own_process(name, one, threads, options) for one in CANDIDATES}
                for _ in range(options.repeats)
            ]
            seconds = {one: statistics.median(turn[one] for turn in turns) for one in CANDIDATES}
            found.append({"graph": name, "threads": threads, "seconds": seconds})
            fastest = min(value for one, value in seconds.items() if one != "packed")
            listed = ", ".join(f"{one} {1e3 * value:.3f}" for one, value in seconds.items())
            ratio = fastest / seconds["packed"]
            print(f"{name}, {threads} thread(s), ms: {listed}: {ratio:.2f}x", flush=True)
    content = {
        "command": shlex.join(["python", "benchmarks/speed/latency.py", *arguments]),
        "settings": {"calls": options.calls, "repeats": options.repeats},
        "environment": environment(),
        "latencies": found,
    }
    with atomic_path(options.output) as path:
        path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
