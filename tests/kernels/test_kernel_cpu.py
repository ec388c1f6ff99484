"""The C++ backend equals the reference bit for bit, on every instruction set that runs here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import ISAS, WIDTHS, grids, random_codes, random_features, random_graph

from qgnn_lightning.kernels import (
    Grid,
    PackedGraph,
    PreparedPropagation,
    StepCoefficients,
    cpu,
    neighbour_sum,
    pack,
    propagate,
    why_unavailable,
)
from qgnn_lightning.kernels.cpu._loader import selected_isa

pytestmark = pytest.mark.skipif(
    why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu"))
)


@pytest.fixture(params=ISAS, scope="module")
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {request.param}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QGNN_KERNEL_ISA", request.param)
        yield request.param


def assert_same_propagation(x0, graph, step_grids, weights, threads=1, **options):  # type: ignore[no-untyped-def]
    expected = propagate(
        x0, graph, step_grids, weights, return_codes=True, backend="reference", **options
    )
    traced = propagate(
        x0, graph, step_grids, weights, return_codes=True, backend="cpu", num_threads=threads,
        **options,
    )  # fmt: skip
    plain = propagate(x0, graph, step_grids, weights, backend="cpu", num_threads=threads, **options)
    form, residual_bits = options.get("form", "direct"), options.get("residual_bits", 16)
    prepared = PreparedPropagation(graph, step_grids, weights, form, residual_bits)
    assert torch.equal(traced.codes, expected.codes)
    assert torch.equal(traced.features, expected.features)
    assert torch.equal(plain.features, expected.features)
    assert torch.equal(prepared.call(x0, threads), expected.features)


@given(
    nodes=st.sampled_from((1, 2, 17, 120)),
    entries=st.sampled_from((0, 1, 60, 1500)),
    width=st.sampled_from(WIDTHS),
    step_grids=grids(),
    own=st.sampled_from((0.0, 0.3, -0.25)),
    form=st.sampled_from(("direct", "delta_sigma")),
    residual_bits=st.sampled_from((8, 16)),
    hub=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=100, deadline=None)
def test_propagation_is_bit_equal(
    isa, nodes, entries, width, step_grids, own, form, residual_bits, hub, threads, seed
) -> None:  # type: ignore[no-untyped-def]
    graph = random_graph(nodes, entries, seed, hub=hub)
    x0, weights = random_features(nodes, width, seed), StepCoefficients(own, 0.9, 0.1)
    options = {"form": form, "residual_bits": residual_bits}
    assert_same_propagation(x0, graph, step_grids, weights, threads, **options)


@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_every_width_to_300(num_bits: int) -> None:
    graph, weights = random_graph(6, 25, seed=0), StepCoefficients(0.0, 0.9, 0.1)
    step_grids = [Grid(num_bits, 3 / (1 << num_bits), 1 << (num_bits - 1))] * 3
    for width in range(1, 301):
        form = "direct" if width % 2 else "delta_sigma"
        assert_same_propagation(
            random_features(6, width, width), graph, step_grids, weights, form=form
        )


ALIKE_WIDTHS = {2: (17, 33, 40, 48, 63, 64), 4: (17, 31, 32, 33, 48, 63, 64), 8: (17, 31, 32)}


@pytest.mark.parametrize(
    ("num_bits", "width"), [(b, w) for b in (2, 4, 8) for w in ALIKE_WIDTHS[b]]
)
@pytest.mark.parametrize(
    "scales", [(0.5, 0.2, 0.4, 0.35), (2.0, 0.1, 3.0, 0.001), (1e5, 1.0, 2.0, 1e-3)]
)
def test_rows_of_equally_many_neighbours(
    isa: str, num_bits: int, width: int, scales: tuple[float, ...]
) -> None:
    """Runs of any length, up to sums that pass bytes and 16 bits; some have another degree."""
    generator = torch.Generator().manual_seed(width)
    sizes = torch.tensor([*range(12), 14, 17, 18, 40, 84, 85, 86, 128, 129, 300])
    sizes = sizes.repeat_interleave(torch.randint(1, 40, sizes.shape, generator=generator))
    nodes = sizes.numel()
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    col = torch.randint(nodes, (int(rowptr[-1]),), generator=generator)
    degree = torch.where(torch.rand(nodes, generator=generator) < 0.1, 2.0 * sizes + 3, sizes + 1)
    graph = PackedGraph.from_csr(rowptr, col, degree)
    assert "row_at" in cpu.reused(graph).fields(width)
    step_grids = [Grid(num_bits, scale, 1) for scale in scales]
    x0, weights = random_features(nodes, width, 0), StepCoefficients(0.0, 0.9, 0.1)
    for options in ({}, *({"form": "delta_sigma", "residual_bits": b} for b in (8, 16))):
        for shift in (0, 50):  # so far that all codes are the largest
            assert_same_propagation(x0 + shift, graph, step_grids, weights, **options)


@pytest.mark.parametrize("num_bits", [2, 4])
@pytest.mark.parametrize("width", [1, 7, 8, 9, 15, 16])
@pytest.mark.parametrize("form", ["direct", "delta_sigma"])
@pytest.mark.parametrize("hub", [False, True])
def test_short_rows_in_groups_of_like_ones(isa, hub, form, width, num_bits) -> None:  # type: ignore[no-untyped-def]
    """Several blocks of groups, from isolated nodes to a hub whose sums pass 16 bits."""
    graph = random_graph(1500, 24_000 if hub else 3000, width, hub=hub)
    step_grids = [Grid(num_bits, scale, 1) for scale in (0.5, 0.2, 0.4)]
    x0, weights = random_features(1500, width, 0), StepCoefficients(0.0, 0.9, 0.1)
    generator = torch.Generator().manual_seed(0)
    few_gains = torch.randint(1, 9, (1500,), generator=generator)
    all_gains = torch.rand(1500, generator=generator) + 0.5
    others = [PackedGraph.from_csr(graph.rowptr, graph.col, d) for d in (few_gains, all_gains)]
    for threads, one in ((1, graph), (2, graph), (1, others[0]), (1, others[1])):
        assert_same_propagation(x0, one, step_grids, weights, threads, form=form)


@pytest.mark.parametrize("degree", [84, 85, 86, 256, 2184, 2185, 10_922, 10_923])
@pytest.mark.parametrize("num_bits", [2, 4])
def test_short_rows_of_many_neighbours(isa: str, num_bits: int, degree: int) -> None:
    """Where sums pass what bytes and 16 bits hold."""
    rowptr = torch.tensor([0, degree, 2 * degree, 2 * degree])
    graph = PackedGraph.from_csr(rowptr, torch.arange(2 * degree) % 3)
    step_grids = [Grid(num_bits, scale, 0) for scale in (0.5, 0.2)]
    x0 = random_features(3, 7, degree) + 4
    assert_same_propagation(x0, graph, step_grids, StepCoefficients(0.0, 0.9, 0.1))


@pytest.mark.parametrize("num_nodes", [32_768, 32_769])
def test_short_rows_of_graphs_beyond_the_caches(num_nodes: int) -> None:
    graph, x0 = random_graph(num_nodes, 4 * num_nodes, 0), random_features(num_nodes, 5, 0)
    step_grids, weights = [Grid(2, 0.5, 1)] * 3, StepCoefficients(0.0, 0.9, 0.1)
    assert_same_propagation(x0, graph, step_grids, weights, form="delta_sigma")


@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_lanes_widen_exactly_where_they_would_overflow(isa: str, num_bits: int) -> None:
    for degree in (16, 17, 18, 34, 35, 84, 85, 86, 170, 171, 256, 257, 258, 514, 515, 4369, 4370):
        rowptr = torch.tensor([0, degree])
        packed = pack(torch.full((1, 40), (1 << num_bits) - 1, dtype=torch.uint8), num_bits)
        sums = neighbour_sum(
            packed, rowptr, torch.zeros(degree, dtype=torch.int32), num_bits=num_bits,
            num_features=40, backend="cpu",
        )  # fmt: skip
        assert sums.unique().tolist() == [degree * ((1 << num_bits) - 1)]


@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_hub_of_120_000_neighbours(isa: str, num_bits: int) -> None:
    graph = random_graph(3, 240_000, seed=1, hub=True)
    codes = random_codes(3, 33, num_bits, seed=2)
    call = {"num_bits": num_bits, "num_features": 33}
    arguments = (pack(codes, num_bits), graph.rowptr, graph.col)
    expected = neighbour_sum(*arguments, backend="reference", **call)
    assert torch.equal(neighbour_sum(*arguments, backend="cpu", **call), expected)
    top = (1 << num_bits) - 1
    step_grids = [Grid(num_bits, 2 / (top + 1), top // 2)] * 2
    for form in ("direct", "delta_sigma"):
        x0 = random_features(3, 33, seed=3)
        assert_same_propagation(x0, graph, step_grids, StepCoefficients(0.0, 0.9, 0.1), form=form)


@pytest.mark.parametrize("zero_point", [0, 1, 3])
@pytest.mark.parametrize("form", ["direct", "delta_sigma"])
def test_propagation_widens_exactly_where_sums_would_overflow(isa, zero_point, form) -> None:  # type: ignore[no-untyped-def]
    degrees = (84, 85, 86, 170, 171, 255, 256, 5461, 10922, 10923, 16383, 16384, 21846, 32768)
    nodes = len(degrees)
    rowptr = torch.tensor((0, *degrees)).cumsum(0)
    generator = torch.Generator().manual_seed(zero_point)
    drawn = torch.randint(nodes, (int(rowptr[-1]),), generator=generator)
    alike = torch.arange(int(rowptr[-1])) % 2  # the first two nodes send the same in all features
    x0 = random_features(nodes, 66, seed=1)
    x0[0], x0[1] = 1e6, 1e6
    for col in (drawn, alike):
        graph = PackedGraph.from_csr(rowptr, col.int())
        step_grids = [Grid(2, 0.5, zero_point)] * 3
        weights = StepCoefficients(0.0, 0.9, 0.1)
        assert_same_propagation(x0, graph, step_grids, weights, form=form)
        assert_same_propagation(-x0, graph, step_grids, weights, form=form)


@given(
    width=st.sampled_from(WIDTHS),
    num_bits=st.sampled_from((2, 4, 8)),
    weighted=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_neighbour_sum_is_bit_equal(isa, width, num_bits, weighted, seed) -> None:  # type: ignore[no-untyped-def]
    graph = random_graph(30, 400, seed)
    packed = pack(random_codes(30, width, num_bits, seed), num_bits)
    weight = torch.randn(400, generator=torch.Generator().manual_seed(seed)) if weighted else None
    call = {"num_bits": num_bits, "num_features": width, "weight": weight}
    expected = neighbour_sum(packed, graph.rowptr, graph.col, backend="reference", **call)
    result = neighbour_sum(packed, graph.rowptr, graph.col, backend="cpu", num_threads=2, **call)
    assert torch.equal(result, expected)


def test_rows_of_another_count_than_the_packed_nodes() -> None:
    packed = pack(torch.ones(5, 3, dtype=torch.uint8), 2)
    rowptr, col = torch.tensor([0, 2, 5]), torch.arange(5, dtype=torch.int32)
    sums = neighbour_sum(packed, rowptr, col, num_bits=2, num_features=3, backend="cpu")
    assert sums.tolist() == [[2] * 3, [3] * 3]


def test_graph_without_nodes() -> None:
    empty = torch.zeros(0)
    graph = PackedGraph(torch.zeros(1, dtype=torch.int64), empty.int(), empty, empty, empty)
    for form in ("direct", "delta_sigma"):
        result = propagate(
            torch.zeros(0, 5), graph, [Grid(2, 1.0, 1)], StepCoefficients(0.0, 0.9, 0.1),
            form=form, backend="cpu",
        )  # fmt: skip
        assert result.features.shape == (0, 5)


def test_workspace_is_kept_and_can_be_released() -> None:
    graph, weights = random_graph(50, 200, seed=0), StepCoefficients(0.0, 0.9, 0.1)
    propagate(random_features(50, 40, 0), graph, [Grid(2, 1.0, 1)] * 2, weights, backend="cpu")
    assert cpu.release_workspace() > 0
    assert cpu.release_workspace() == 0


def test_unknown_instruction_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QGNN_KERNEL_ISA", "mmx")
    with pytest.raises(RuntimeError, match=r"QGNN_KERNEL_ISA must be one of .*, got 'mmx'"):
        selected_isa()
