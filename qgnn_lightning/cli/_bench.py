"""``qgnn bench``: speed, size and error of packed inference on the user's machine."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.bench import (
    Benchmark,
    ModelTask,
    Progress,
    PropagationTask,
    Protocol,
    ckpt_task,
    measure,
    memory_bytes,
    packed_task,
    random_graph,
    random_task,
    record,
    report,
    save_chart,
    select,
)
from qgnn_lightning.cli._bench_options import parse_options
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.deploy import PackedGNN, load_packed
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN
from qgnn_lightning.storage import atomic_path

#: The candidate that needs most memory.
_LARGEST = "fp32-pyg"


class PackedDiffersError(RuntimeError):
    """A packed result is not that of the fake-quantized computation."""


def run_bench(arguments: list[str]) -> None:
    """Run a benchmark and print its table.

    Args:
        arguments: What was typed after ``qgnn bench``.

    Raises:
        UsageError: If the command line is wrong.
        PackedDiffersError: If a packed result differs from the fake-quantized one.
    """
    options = parse_options(arguments)
    _check_instruction_set()
    with _threads(options.threads):
        progress = Progress()
        benchmark = _BENCHMARKS[options.mode](options, progress)
        progress.clear()
        print(report(benchmark))
        _write(benchmark, options, shlex.join(["qgnn", "bench", *arguments]))
    if benchmark.unequal:
        names = ", ".join(one.candidate.name for one in benchmark.unequal)
        raise PackedDiffersError(f"packed results differ from the fake-quantized ones: {names}")


def _check_instruction_set() -> None:
    if kernels.why_unavailable("cpu") is not None:
        return
    try:
        kernels.cpu.selected_isa()
    except RuntimeError as error:
        raise UsageError(str(error)) from error


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _propagate(options: argparse.Namespace, progress: Progress) -> Benchmark:
    progress.show("drawing the graph")
    torch.manual_seed(options.seed)
    adjacency = _graph(options)
    x = torch.randn(options.num_nodes, options.num_features)
    task = PropagationTask(adjacency, x, options.num_steps, options.restart, options.residual_bits)
    return _measure(task, adjacency, options, progress)


def _model(options: argparse.Namespace, progress: Progress) -> Benchmark:
    progress.show("drawing the graph" if options.data is None else "reading the graph")
    torch.manual_seed(options.seed)
    packed = load_packed(options.packed) if options.packed else None
    network = _load_network(options.ckpt) if options.ckpt else None
    _take_shape(options, packed, network)
    if options.data is None:
        adjacency = _graph(options)
        x = torch.randn(options.num_nodes, options.num_features)
    else:
        adjacency, x = _data(options)
    if packed is not None:
        task = packed_task(adjacency, x, packed)
    elif network is not None:
        task = ckpt_task(adjacency, x, network)
    else:
        task = _random_task(options, adjacency, x)
    return _measure(task, adjacency, options, progress)


def _take_shape(
    options: argparse.Namespace, packed: PackedGNN | None, network: QuantizedGNN | None
) -> None:
    """A stored network decides its own sizes."""
    if packed is not None:
        options.num_features, options.num_steps = packed.num_features, packed.propagation.num_steps
    if network is not None:
        options.num_features = network.encoder.in_features
        options.num_steps = network.propagation.num_steps


def _data(options: argparse.Namespace) -> tuple[Adjacency, Tensor]:
    """Graph and features of a data set."""
    # Imported here: Lightning takes seconds.
    from qgnn_lightning.cli._data_options import add_data, load_data
    from qgnn_lightning.cli._parser import CommandParser

    parser = CommandParser()
    add_data(parser)
    data = load_data(parser, parser.parse_args(["--config", str(options.data)]))
    x, adjacency = data.graph.x, data.graph.adjacency
    if (options.ckpt or options.packed) and x.shape[1] != options.num_features:
        raise UsageError(
            f"--data has {x.shape[1]} features, the network takes {options.num_features}"
        )
    options.num_nodes, options.num_edges = adjacency.num_nodes, adjacency.num_edges
    options.num_features, options.graph = x.shape[1], "data"
    return adjacency, x


def _graph(options: argparse.Namespace) -> Adjacency:
    try:
        return random_graph(options.graph, options.num_nodes, options.num_edges, options.seed)
    except ValueError as error:
        raise UsageError(f"--{error}") from error


def _random_task(options: argparse.Namespace, adjacency: Adjacency, x: Tensor) -> ModelTask:
    propagation = PropagationConfig(
        "personalized",
        options.messages,
        num_steps=options.num_steps,
        restart=options.restart,
        residual_bits=options.residual_bits,
    )
    config = NetworkConfig(hidden_features=options.hidden_features, propagation=propagation)
    bits = tuple(sorted(set(options.bits), reverse=True))
    return random_task(adjacency, x, options.num_classes, config, bits)


def _load_network(path: Path) -> QuantizedGNN:
    # Lightning takes seconds to import, and only checkpoints need it.
    from qgnn_lightning.cli._packed import trained_network

    network = trained_network(path, "--ckpt")
    if not isinstance(network, QuantizedGNN):
        architecture = network.config.architecture
        raise UsageError(f"--ckpt must hold a network that can be packed, got {architecture!r}")
    return network


def _measure(
    task: PropagationTask | ModelTask,
    adjacency: Adjacency,
    options: argparse.Namespace,
    progress: Progress,
) -> Benchmark:
    try:
        names = select(task.names, options.candidates)
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    names, notes = _affordable(names, adjacency, options)
    candidates = []
    for name in names:
        progress.show(f"preparing {name}")
        candidates.append(task.candidate(name))
    progress.show("exact result")
    with torch.no_grad():
        exact = task.exact()
    outcomes = measure(candidates, exact, Protocol(options.repeats), progress)
    settings = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if value is not None and name not in ("mode", "json", "plot")
    }
    if options.mode == "model" and not (options.ckpt or options.packed):
        notes.append("random weights: the errors say nothing about a network trained for its bits")
    if options.quick:
        notes.append("a first look: name --num_nodes and --num_edges; larger graphs gain more")
    sizes = adjacency.num_nodes, adjacency.num_edges
    return Benchmark(options.mode, settings, *sizes, outcomes, tuple(notes))


def _affordable(
    names: list[str], adjacency: Adjacency, options: argparse.Namespace
) -> tuple[list[str], list[str]]:
    """Leave out what would not fit into memory: PyG makes a row of features per non-zero."""
    width = options.num_features
    if options.mode == "model":
        width = options.num_classes or width
    needed = 2 * 4 * adjacency.num_edges * width
    memory = memory_bytes()
    if _LARGEST not in names or memory is None or needed < memory / 2:
        return names, []
    note = f"{_LARGEST} left out: it needs about {needed / 1e9:.0f} GB of memory"
    return [name for name in names if name != _LARGEST], [note]


def _write(benchmark: Benchmark, options: argparse.Namespace, command: str) -> None:
    if options.json is not None:
        with atomic_path(options.json) as path:
            path.write_text(json.dumps(record(benchmark, command), indent=1) + "\n")
        print(f"written: {options.json}")
    if options.plot is not None:
        with atomic_path(options.plot) as path:
            save_chart(benchmark, path)
        print(f"written: {options.plot}")


_BENCHMARKS: dict[str, Callable[[argparse.Namespace, Progress], Benchmark]] = {
    "propagate": _propagate,
    "model": _model,
}
