"""Packed propagation against FP32 library paths, side by side in one process.

All candidates run the same K steps on one random graph; they alternate, and the median of the
repeats is reported as a ratio to the fastest FP32 path. The FP32 paths keep the constants out of
the loop (weights scaled beforehand, restart term computed once, added in place).

Example: ``python benchmarks/kernels/propagation.py --features 64 128 --repeats 7``
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from qgnn_lightning.kernels import Grid, PackedGraph, StepCoefficients, propagate

MESSAGE, RESTART = 0.9, 0.1


def uniform_graph(num_nodes: int, num_edges: int) -> PackedGraph:
    """Draw undirected edges uniformly, add self-loops, drop duplicates."""
    source, target = torch.randint(num_nodes, (2, num_edges))
    loops = torch.arange(num_nodes)
    keys = torch.cat(
        [source * num_nodes + target, target * num_nodes + source, loops * num_nodes + loops]
    ).unique()
    counts = torch.bincount(keys // num_nodes, minlength=num_nodes)
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return PackedGraph.from_csr(rowptr, (keys % num_nodes).int())


def float_paths(graph: PackedGraph, x0: Tensor, steps: int) -> dict[str, Callable[[], Tensor]]:
    """Return the FP32 propagations by name."""
    rows = torch.repeat_interleave(torch.arange(graph.num_nodes), graph.rowptr.diff())
    scale = graph.inv_sqrt_degree
    value = MESSAGE * scale[rows] * scale[graph.col.long()]
    size = (graph.num_nodes, graph.num_nodes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matrix = torch.sparse_csr_tensor(graph.rowptr, graph.col.long(), value, size)

    def repeat(product: Callable[[Tensor], Tensor]) -> Tensor:
        h, restart = x0, RESTART * x0
        for _ in range(steps):
            h = product(h).add_(restart)
        return h

    def bag(col: Tensor, offsets: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda h: functional.embedding_bag(
            col, h, offsets, mode="sum", per_sample_weights=value, include_last_offset=True
        )

    bag32 = bag(graph.col, graph.rowptr.int())
    bag64 = bag(graph.col.long(), graph.rowptr)
    return {
        "fp32 csr": lambda: repeat(lambda h: matrix @ h),
        "fp32 bag, int32 index": lambda: repeat(bag32),
        "fp32 bag, int64 index": lambda: repeat(bag64),
    }


def packed_paths(
    graph: PackedGraph, x0: Tensor, steps: int, bits: list[int], threads: int
) -> dict[str, Callable[[], Tensor]]:
    """Return the packed propagations by name."""
    weights = StepCoefficients(0.0, MESSAGE, RESTART)
    paths: dict[str, Callable[[], Tensor]] = {}
    for num_bits in bits:
        top = (1 << num_bits) - 1
        grids = [Grid(num_bits, 1.2 * 0.9**k / top, (top + 1) // 2) for k in range(steps)]
        for form, residual in (("direct", 8), ("delta_sigma", 8), ("delta_sigma", 16)):
            name = f"int{num_bits} {form}" + (f"/{residual}" if form != "direct" else "")
            paths[name] = lambda g=grids, f=form, r=residual: (
                propagate(
                    x0,
                    graph,
                    g,
                    weights,
                    form=f,
                    residual_bits=r,
                    num_threads=threads,
                    backend="cpu",
                ).features
            )
    return paths


def measure(paths: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, float]:
    """Return the median seconds of every path; the paths alternate."""
    times: dict[str, list[float]] = {name: [] for name in paths}
    for repeat in range(repeats + 1):
        for name, path in paths.items():
            start = time.perf_counter()
            path()
            if repeat:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print one table per width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=169343)
    parser.add_argument("--edges", type=int, default=1157799)
    parser.add_argument("--features", type=int, nargs="+", default=[40, 64, 128, 256])
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-csr", action="store_true", help="leave out the slowest FP32 path")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    graph = uniform_graph(args.nodes, args.edges)
    print(f"torch {torch.__version__}, {args.threads} threads, {graph.col.numel()} entries")
    for width in args.features:
        x0 = torch.randn(args.nodes, width)
        paths = float_paths(graph, x0, args.steps)
        if args.no_csr:
            del paths["fp32 csr"]
        peers = list(paths)
        paths |= packed_paths(graph, x0, args.steps, args.bits, args.threads)
        medians = measure(paths, args.repeats)
        best = min(medians[name] for name in peers)
        for name, seconds in medians.items():
            step = 1e3 * seconds / args.steps
            print(f"F={width:4d} {name:24s} {step:8.2f} ms/step {best / seconds:6.2f}x", flush=True)


if __name__ == "__main__":
    main()
