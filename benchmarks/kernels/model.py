"""A whole packed network against FP32: linear, ReLU, linear, K propagation steps.

The packed side starts from float features: quantize and pack them, two low-bit linear maps with
the ReLU and the quantization of the hidden features fused into the first, then the propagation.
The FP32 side is the fastest of its library compositions. All candidates alternate; the median of
the ratios is reported, with the time of every stage.

Example: ``python benchmarks/kernels/model.py --repeats 7``
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from propagation import MESSAGE, RESTART, float_paths, uniform_graph
from torch import Tensor
from torch.nn import functional

from qgnn_lightning.kernels import (
    Grid,
    PackedGraph,
    StepCoefficients,
    linear,
    propagate,
    quantize_pack,
)

Path = Callable[[], Tensor]
Sizes = tuple[int, int, int]


def float_network(graph: PackedGraph, x: Tensor, sizes: Sizes, steps: int) -> dict[str, Path]:
    """Return the FP32 networks by name."""
    inputs, hidden, classes = sizes
    first, second = torch.randn(hidden, inputs), torch.randn(classes, hidden)
    bias = torch.randn(hidden), torch.randn(classes)
    scores = torch.empty(graph.num_nodes, classes)

    def encode() -> Tensor:
        rectified = functional.linear(x, first, bias[0]).relu_()
        return functional.linear(rectified, second, bias[1])

    def network(rest: Path) -> Path:
        def run() -> Tensor:
            scores.copy_(encode())
            return rest()

        return run

    paths = {"fp32 encoder": encode}
    for name, rest in float_paths(graph, scores, steps).items():
        if "csr" not in name:
            paths[name] = network(rest)
    return paths


def packed_network(
    graph: PackedGraph, x: Tensor, sizes: Sizes, steps: int, num_bits: int, threads: int
) -> dict[str, Path]:
    """Return the packed networks and their encoder by name."""
    inputs, hidden, classes = sizes
    top = (1 << num_bits) - 1
    x_grid = Grid(num_bits, 6.0 / top, (top + 1) // 2)
    hidden_grid = Grid(num_bits, 40.0 / top, 0)
    shapes = (hidden, inputs), (classes, hidden)
    weights = [torch.randint(-(top // 2), top // 2 + 2, shape).short() for shape in shapes]
    scales = [torch.rand(size) / top + 0.01 for size in (hidden, classes)]
    biases = [torch.randn(size) for size in (hidden, classes)]
    grids = [Grid(num_bits, 1.2 * 0.9**k / top, (top + 1) // 2) for k in range(steps)]

    def encode() -> Tensor:
        packed = quantize_pack(x, x_grid, num_threads=threads)
        rectified = linear(
            packed, x_grid, weights[0], scales[0], biases[0],
            relu=True, out_grid=hidden_grid, num_threads=threads,
        )  # fmt: skip
        return linear(rectified, hidden_grid, weights[1], scales[1], biases[1], num_threads=threads)

    paths: dict[str, Path] = {f"int{num_bits} encoder": encode}
    coefficients = StepCoefficients(0.0, MESSAGE, RESTART)
    for form, residual in (("direct", 8), ("delta_sigma", 8), ("delta_sigma", 16)):
        paths[f"int{num_bits} {form}/{residual}"] = lambda f=form, r=residual: (
            propagate(
                encode(), graph, grids, coefficients, form=f, residual_bits=r, num_threads=threads
            ).features
        )
    return paths


def main() -> None:
    """Print seconds and the ratio to the fastest FP32 network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=169343)
    parser.add_argument("--edges", type=int, default=1157799)
    parser.add_argument("--sizes", type=int, nargs=3, default=[128, 256, 40])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--cpu-time", action="store_true", help="process time, for a shared machine"
    )
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    clock = time.process_time if args.cpu_time else time.perf_counter
    graph = uniform_graph(args.nodes, args.edges)
    x, sizes = torch.randn(args.nodes, args.sizes[0]), tuple(args.sizes)
    paths = float_network(graph, x, sizes, args.steps)
    peers = [name for name in paths if "encoder" not in name]
    for num_bits in args.bits:
        paths |= packed_network(graph, x, sizes, args.steps, num_bits, args.threads)
    times: dict[str, list[float]] = {name: [] for name in paths}
    for repeat in range(args.repeats + 1):
        for name, path in paths.items():
            start = clock()
            path()
            if repeat:
                times[name].append(clock() - start)
    best = [min(times[name][r] for name in peers) for r in range(args.repeats)]
    for name, seconds in times.items():
        ratio = statistics.median(b / s for b, s in zip(best, seconds, strict=True))
        fastest = min(best) / min(seconds)
        median = 1e3 * statistics.median(seconds)
        print(f"{name:24s} {median:9.1f} ms  {ratio:6.2f}x  ({fastest:.2f}x of the minima)")


if __name__ == "__main__":
    main()
