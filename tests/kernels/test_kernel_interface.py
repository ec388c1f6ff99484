"""Backends, operators, error messages, and an import that costs nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from kernel_cases import random_codes, random_features, random_graph

from qgnn_lightning.kernels import (
    BackendUnavailableError,
    Grid,
    LinearWeight,
    PackedGraph,
    StepCoefficients,
    available_backends,
    backends,
    linear,
    neighbour_sum,
    ops,
    pack,
    propagate,
    quantize_pack,
    sparse_linear,
    unpack,
    why_unavailable,
)
from qgnn_lightning.kernels.validation import check_num_threads

ROOT = Path(__file__).parents[2]
WEIGHTS = StepCoefficients(0.0, 0.9, 0.1)


def test_importing_loads_no_library() -> None:
    program = (
        "import sys, qgnn_lightning.kernels as k\n"
        "assert k.cpu._loader._load.cache_info().currsize == 0\n"
        "assert 'triton' not in sys.modules\n"
        "assert 'qgnn_lightning.kernels.gpu' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_package_knows_every_file_of_the_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (library,) = project["tool"]["setuptools"]["ext-modules"]
    files = [
        p for p in (ROOT / "qgnn_lightning/kernels/cpu").iterdir() if p.suffix in (".h", ".inc")
    ]
    assert library["depends"] == sorted(p.relative_to(ROOT).as_posix() for p in files)


def test_reference_is_always_available() -> None:
    assert why_unavailable("reference") is None
    assert "reference" in available_backends()
    with pytest.raises(ValueError, match=r"backend must be one of .*, got 'cuda'"):
        why_unavailable("cuda")


def test_auto_falls_back_once_and_a_name_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends._REASONS, "cpu", lambda: "it was not compiled")
    backends._warn_fallback.cache_clear()
    graph, x0 = random_graph(4, 9, 0), torch.ones(4, 3)
    with pytest.warns(RuntimeWarning, match="fall back .* it was not compiled"):
        propagate(x0, graph, [Grid(2, 1.0, 1)], WEIGHTS)
    propagate(x0, graph, [Grid(2, 1.0, 1)], WEIGHTS)
    with pytest.raises(
        BackendUnavailableError, match="'cpu' is not available: it was not compiled"
    ):
        propagate(x0, graph, [Grid(2, 1.0, 1)], WEIGHTS, backend="cpu")
    backends._warn_fallback.cache_clear()


def test_named_backend_needs_its_device() -> None:
    if why_unavailable("cpu") is None:
        with pytest.raises(
            ValueError, match="backend 'cpu' needs tensors on the CPU, got device meta"
        ):
            backends.resolve("cpu", torch.device("meta"))
    assert backends.resolve("auto", torch.device("meta")) == "reference"


def operator_samples():  # type: ignore[no-untyped-def]
    graph, codes = random_graph(5, 12, 0), random_codes(5, 9, 2, 0)
    packed, weight = pack(codes, 2), torch.ones(4, 9, dtype=torch.int16)
    sums = (packed, graph.rowptr, graph.col)
    scale, zero_point = torch.tensor([0.5, 0.25]), torch.tensor([1, 2], dtype=torch.int32)
    steps = (scale, zero_point, torch.zeros(2, dtype=torch.int32), 2, False, 0.0, 0.9, 0.1)
    x0, rest = random_features(5, 9, 0), (1, "reference")
    value, by_input = torch.ones(12), weight.t().contiguous()
    return {
        "pack": (codes, 2),
        "unpack": (packed, 2, 9),
        "neighbour_sum": (*sums, None, 2, 9, *rest),
        "linear": (packed, 2, 0.5, 1, 1, weight, torch.ones(4), None, True, 0, 1.0, 0, *rest),
        "sparse_linear": (
            graph.rowptr, graph.col, value, 2, 0.5, 1, 1, 0, by_input, torch.ones(4), None, False,
            2, 1.0, 1, *rest,
        ),
        "propagate": (x0, *graph.tensors(), *steps, True, 8, True, *rest),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(operator_samples()))
def test_operator_is_registered_correctly(name: str) -> None:
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(getattr(ops, name), operator_samples()[name], test_utils=checks)


def bad_calls():  # type: ignore[no-untyped-def]
    graph, grid = random_graph(4, 9, 0), Grid(2, 1.0, 1)
    codes, x0 = torch.zeros(4, 3, dtype=torch.uint8), torch.zeros(4, 3)
    packed, weight, ones = pack(codes, 2), torch.ones(2, 3, dtype=torch.int16), torch.ones(2)
    rowptr, col, operand = graph.rowptr, graph.col, LinearWeight(weight, ones)
    narrow = {"num_bits": 2, "num_features": 3}
    needed = torch.ones(9).requires_grad_()
    return [
        (lambda: pack(codes + 4, 2), "codes must be below 4 with num_bits 2, got 4"),
        (lambda: pack(codes.int(), 2), "codes must be torch.uint8, got torch.int32"),
        (lambda: pack(codes[0], 2), r"codes must have 2 dimension\(s\), got shape \(3,\)"),
        (lambda: pack(codes[:, :0], 2), "codes must have at least 1 feature"),
        (lambda: unpack(packed, 2, 100), "packed must have 32 bytes per row for 100 features of 2"),
        (lambda: neighbour_sum(packed, rowptr.int(), col, **narrow), "rowptr must be torch.int64"),
        (lambda: neighbour_sum(packed, rowptr, col + 9, **narrow), r"col must be in 0\.\.3, got"),
        (lambda: neighbour_sum(packed, rowptr + 1, col, **narrow), "rowptr must run from 0 to"),
        (lambda: neighbour_sum(packed, torch.tensor([0, 10, 9]), col, **narrow),
         "rowptr must not decrease, got a row of -1"),
        (lambda: neighbour_sum(packed, rowptr[:0], col, **narrow), "rowptr must have at least 1"),
        (lambda: neighbour_sum(packed, rowptr, col, weight=ones, **narrow),
         r"weight must have 9 element\(s\), got 2"),
        (lambda: neighbour_sum(packed, rowptr, col, num_threads=0, **narrow),
         "num_threads must be a whole number in 1..4096, got 0"),
        (lambda: LinearWeight(weight.int(), ones), "codes must be torch.int16"),
        (lambda: LinearWeight(weight * 256, ones), r"codes must be in -255\.\.255, got 256"),
        (lambda: LinearWeight(weight[:0], ones[:0]), "codes must have at least 1 output, got 0"),
        (lambda: LinearWeight(weight[:, :0], ones), r"codes must have 1\.\.32768 inputs, got 0"),
        (lambda: LinearWeight(weight, ones[:1]), r"scale must have 2 element"),
        (lambda: LinearWeight(weight, ones.clone().requires_grad_()),
         "scale must not require a gradient"),
        (lambda: LinearWeight(weight, ones, ones[:1]), r"bias must have 2 element"),
        (lambda: linear(packed, grid, operand, out_grid=Grid(2, 1.0, 1, 85)),
         "out_grid must have stride 1, got 85"),
        (lambda: sparse_linear(rowptr, col % 3, ones, grid, operand), r"value must have 9 element"),
        (lambda: sparse_linear(rowptr, col, torch.ones(9), grid, operand),
         r"col must be in 0\.\.2, got"),
        (lambda: propagate(x0, graph, [], WEIGHTS), "grids must hold one grid per step"),
        (lambda: propagate(x0, graph, [grid, Grid(4, 1.0, 1)], WEIGHTS),
         r"grids must share one num_bits, got \[2, 4\]"),
        (lambda: sparse_linear(rowptr[:0], col, torch.ones(9), grid, operand),
         "rowptr must have at least 1"),
        (lambda: sparse_linear(rowptr, col.short(), torch.ones(9), grid, operand),
         "col must be torch.int32 or torch.int64, got torch.int16"),
        (lambda: propagate(x0[:2], graph, [grid], WEIGHTS), "x0 must have 4 rows"),
        (lambda: propagate(x0.clone().requires_grad_(), graph, [grid], WEIGHTS),
         "x0 must not require a gradient"),
        (lambda: neighbour_sum(packed, rowptr, col, weight=needed, **narrow),
         "weight must not require a gradient"),
        (lambda: quantize_pack(x0.clone().requires_grad_(), grid), "x must not require a gradient"),
        (lambda: propagate(x0, graph, [grid], WEIGHTS, form="sigma"), "form must be one of"),
        (lambda: propagate(x0, graph, [grid], WEIGHTS, residual_bits=4), "residual_bits must be"),
        (lambda: propagate(x0, graph, [grid], WEIGHTS, backend="gpu"), "backend must be one of"),
        (lambda: Grid(3, 1.0, 1), "num_bits must be one of"),
        (lambda: Grid(2, 0.0, 1), "scale must be a float32 above 0 .* got 0.0"),
        (lambda: Grid(2, 1.0, 4), r"zero_point must be in 0\.\.3, got 4"),
        (lambda: Grid(2, 1.0, 1, 3), "stride must be 1 or 85, got 3"),
        (lambda: Grid(4, 1.0, 1, 85), "stride 85 needs num_bits 2, got 4"),
        (lambda: Grid(2, 1.0, 1, 1, 5), "shift must be 0 with stride 1, got 5"),
        (lambda: Grid(2, 1.0, 1, 85, 300), r"shift must be in -255\.\.255, got 300"),
        (lambda: StepCoefficients(float("nan"), 1.0, 0.0), "own must be 0 or of size"),
        (lambda: PackedGraph(rowptr, col, ones, ones, ones), r"inv_degree must have 4 element"),
    ]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), bad_calls())
def test_error_names_parameter_rule_and_value(call, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_tensor_is_named() -> None:
    graph, grid, rows = random_graph(4, 9, 0), Grid(2, 1.0, 1), torch.zeros(4, 16)
    weight = LinearWeight(torch.ones(2, 3, dtype=torch.int16), torch.ones(2))
    array = rows.numpy()
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: pack(array, 2), "codes"),
        (lambda: unpack(array, 2, 3), "packed"),
        (lambda: quantize_pack(array, grid), "x"),
        (lambda: propagate(array, graph, [grid], WEIGHTS), "x0"),
        (lambda: linear(array, grid, weight), "packed"),
        (lambda: sparse_linear(graph.rowptr, graph.col.numpy(), rows, grid, weight), "col"),
        (lambda: LinearWeight(array, torch.ones(2)), "codes"),
        (lambda: PackedGraph.from_csr(graph.rowptr.numpy(), graph.col), "rowptr"),
    ]
    for call, name in calls:
        with pytest.raises(TypeError, match=f"^{name} must be a torch.Tensor, got numpy.ndarray"):
            call()


def test_little_work_takes_one_thread_unless_told_otherwise() -> None:
    assert check_num_threads(None, 1_000_000) == 1
    assert check_num_threads(None, 1 << 40) == torch.get_num_threads()
    assert check_num_threads(3, 1) == 3


@pytest.mark.parametrize("col", [1 << 32, -(1 << 32)])
def test_columns_do_not_wrap_around(col: int) -> None:
    with pytest.raises(ValueError, match=rf"col must fit into 32 bits, got {col}\.\.{col}"):
        PackedGraph.from_csr(torch.tensor([0, 1]), torch.tensor([col]))


@pytest.mark.parametrize("num_threads", [0, 2**40, 1.5, "2"])
def test_odd_numbers_of_threads_are_refused(num_threads) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"num_threads must be a whole number in 1\.\.4096, got"):
        quantize_pack(random_features(3, 4, 0), Grid(2, 1.0, 1), num_threads=num_threads)
