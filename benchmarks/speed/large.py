"""Packed propagation of a graph of many million nodes, with features and state in mapped files.

A power-law graph is propagated by ``propagate_mapped`` on two bits, and by ``propagate`` in memory.
The same is done on a small graph first, side by side with the fastest float32 path of torch. The
result holds times, cost per non-zero and memory: the peak of what the process has allocated (files
that are mapped and can be dropped apart), and what a float32 propagation would have to allocate.

Example: ``python benchmarks/speed/large.py --nodes 1_000_000 --edges 10_000_000``
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.bench import environment
from qgnn_lightning.provenance import num_cpus
from qgnn_lightning.storage import atomic_path

#: Pairs of nodes that are drawn at once.
CHUNK = 1 << 24
WEIGHTS = kernels.StepCoefficients(0.0, 0.9, 0.1)
STATUS = Path("/proc/self/status")


def power_law(num_nodes: int, num_edges: int, seed: int) -> kernels.PackedGraph:
    """A power-law graph as ``qgnn_lightning.bench.random_graph`` draws it, in less memory.

    Weights of i ** -1/2 give expected degrees of exponent 3 (Chung and Lu, PNAS 2002); a few edges
    are drawn twice and count once.
    """
    draw = np.random.default_rng(seed)
    number = draw.permutation(num_nodes).astype(np.int64)
    key = np.empty(2 * num_edges + num_nodes, dtype=np.int64)
    for begin in range(0, num_edges, CHUNK):
        count = min(CHUNK, num_edges - begin)
        ends = number[(num_nodes * draw.random((2, count)) ** 2).astype(np.int64)]
        key[2 * begin : 2 * begin + count] = ends[0] * num_nodes + ends[1]
        key[2 * begin + count : 2 * (begin + count)] = ends[1] * num_nodes + ends[0]
    key[2 * num_edges :] = np.arange(num_nodes, dtype=np.int64) * (num_nodes + 1)
    key.sort()
    distinct = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=distinct[1:])
    key = key[distinct]
    rowptr = np.searchsorted(key, np.arange(num_nodes + 1, dtype=np.int64) * num_nodes)
    np.remainder(key, num_nodes, out=key)
    return kernels.PackedGraph.from_csr(torch.from_numpy(rowptr), torch.from_numpy(key).int())


def features(path: Path, num_nodes: int, num_features: int) -> Tensor:
    """Normal features in a file."""
    x = torch.from_file(str(path), shared=True, size=num_nodes * num_features, dtype=torch.float32)
    draw = torch.Generator().manual_seed(0)
    for part in x.split(CHUNK):
        part.normal_(generator=draw)
    return x.view(num_nodes, num_features)


class PeakMemory:
    """The most memory that the process has allocated since the start, mapped files left out."""

    def __enter__(self) -> PeakMemory:
        self.allocated = self.resident = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
            allocated, resident = (int(lines[name].split()[0]) for name in ("RssAnon", "VmRSS"))
            self.allocated = max(self.allocated, 1024 * allocated)
            self.resident = max(self.resident, 1024 * resident)
            if self._done.wait(0.05):
                return


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Least time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(options: argparse.Namespace, nodes: int, edges: int, repeats: int) -> dict[str, Any]:
    """Times and memory of the propagation of one graph."""
    start = time.perf_counter()
    graph = power_law(nodes, edges, options.seed)
    print(f"{nodes:,} nodes: graph after {time.perf_counter() - start:.0f} s", flush=True)
    grids = [kernels.Grid(2, 0.5 * 0.8**step, 1) for step in range(options.num_steps)]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, PeakMemory() as memory:
        x = features(Path(folder) / "x", nodes, options.num_features)
        form: Any = {"form": "delta_sigma", "residual_bits": 8}

        def mapped() -> Tensor:
            return kernels.propagate_mapped(x, graph, grids, WEIGHTS, Path(folder), **form)

        def in_memory() -> Tensor:
            return kernels.propagate(x, graph, grids, WEIGHTS, **form).features

        result: dict[str, Any] = {"mapped_seconds": seconds(mapped, repeats)}
        peaks = {"allocated": memory.allocated, "resident_with_mapped_files": memory.resident}
        result["in_memory_seconds"] = seconds(in_memory, repeats)
        result["equal"] = torch.equal(mapped(), in_memory())
        if repeats > 1:
            result["float32_seconds"] = seconds(lambda: float32(x, graph, len(grids)), repeats)
    non_zeros = graph.col.numel() * options.num_steps
    for name in [name for name in result if name.endswith("_seconds")]:
        part = name.removesuffix("_seconds")
        result[f"{part}_nanoseconds_per_non_zero"] = 1e9 * result[name] / non_zeros
    floats = 4 * nodes * options.num_features
    graph_bytes = sum(tensor.nbytes for tensor in graph.tensors())
    return {
        "num_nodes": nodes,
        "num_non_zeros": graph.col.numel(),
        **result,
        "peak_bytes": peaks,
        "graph_bytes": graph_bytes,
        # The input, the restart, and the features before and after a step.
        "float32_needs_bytes": graph_bytes + 3 * floats,
    }


def float32(x: Tensor, graph: kernels.PackedGraph, num_steps: int) -> Tensor:
    """The fastest float32 path of torch: sums without weights, one factor per row."""
    rowptr, restart = graph.rowptr.int(), x * graph.inv_sqrt_degree[:, None]
    gain, z = WEIGHTS.message * graph.inv_degree[:, None], restart
    for _ in range(num_steps):
        total = torch.nn.functional.embedding_bag(
            graph.col, z, rowptr, mode="sum", include_last_offset=True
        )
        z = total.mul_(gain).add_(restart, alpha=WEIGHTS.restart)
    return z.mul_(graph.sqrt_degree[:, None])


def main(arguments: list[str]) -> None:
    """Measure a small graph and a large one, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--nodes", type=int, default=10_000_000)
    parser.add_argument("--edges", type=int, default=105_000_000)
    parser.add_argument("--small-nodes", type=int, default=100_000)
    parser.add_argument("--num-features", type=int, default=32)
    parser.add_argument("--num-steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=num_cpus())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the mapped files go")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    small_edges = options.edges * options.small_nodes // options.nodes
    small = measure(options, options.small_nodes, small_edges, repeats=5)
    print(json.dumps(small), flush=True)
    large = measure(options, options.nodes, options.edges, repeats=1)
    print(json.dumps(large), flush=True)
    cost = "nanoseconds_per_non_zero"
    record = {
        "command": shlex.join(["python", "benchmarks/speed/large.py", *arguments]),
        "environment": environment(),
        "settings": {
            name: getattr(options, name)
            for name in ("num_features", "num_steps", "threads", "seed")
        },
        "cost_ratios": {
            name: large[f"{name}_{cost}"] / small[f"{name}_{cost}"]
            for name in ("mapped", "in_memory")
        },
        "small": small,
        "large": large,
    }
    for name, ratio in record["cost_ratios"].items():
        print(f"{name}: cost per non-zero {ratio:.2f} times that of the small graph")
    if options.output:
        with atomic_path(options.output) as path:
            path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
