"""The reference against the definition written out in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from kernel_cases import random_codes, random_features, random_graph

from qgnn_lightning.kernels import Grid, StepCoefficients, neighbour_sum, pack, propagate, unpack
from qgnn_lightning.kernels._grid import GridTable
from qgnn_lightning.kernels.reference import quantize


def test_neighbour_sum_is_the_double_loop() -> None:
    graph = random_graph(9, 40, seed=0)
    codes = random_codes(9, 5, 4, seed=1)
    sums = neighbour_sum(
        pack(codes, 4), graph.rowptr, graph.col, num_bits=4, num_features=5, backend="reference"
    )
    for i in range(9):
        entries = range(int(graph.rowptr[i]), int(graph.rowptr[i + 1]))
        for f in range(5):
            assert int(sums[i, f]) == sum(int(codes[int(graph.col[e]), f]) for e in entries)


@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_quantize_rounds_half_to_even_and_clamps(num_bits: int) -> None:
    top = (1 << num_bits) - 1
    table = GridTable.from_grids([Grid(num_bits, 0.5, 1)])
    v = torch.tensor([-1e30, -1.0, -0.25, 0.0, 0.25, 0.75, 1e30])
    expected = [0, 0, 1, 1, 1, min(top, 3), top]
    assert quantize(v, table, 1 / table.scale[0], 0).tolist() == expected


def test_truncation_rounds_to_the_nearest_of_four_levels() -> None:
    for shift in (0, -7, 30):
        table = GridTable.from_grids([Grid(2, 1.0, 100, stride=85, shift=shift)])
        codes = quantize(torch.arange(-100.0, 156.0), table, 1 / table.scale[0], 0)
        for level, code in enumerate(codes.tolist()):
            moved = min(max(level + shift, 0), 255)
            assert abs(85 * code - moved) == min(abs(85 * q - moved) for q in range(4))


def exact_propagation(x0, graph, codes, grids, weights, form):  # type: ignore[no-untyped-def]
    """Steps in rational arithmetic, with the codes given and an exact residual."""
    nodes, features = x0.shape
    inv_degree = [Fraction(float(d)) for d in graph.inv_degree]
    z0 = [
        [Fraction(float(x)) * Fraction(float(s)) for x in row]
        for row, s in zip(x0, graph.inv_sqrt_degree, strict=True)
    ]
    z = [list(row) for row in z0]
    sent = [[Fraction(0)] * features for _ in range(nodes)]
    own, message, restart = (Fraction(w) for w in (weights.own, weights.message, weights.restart))
    mixed = [[Fraction(0)] * features for _ in range(nodes)]
    for k, grid in enumerate(grids):
        scale = Fraction(float(torch.tensor(grid.scale)))
        q = unpack(codes[k], grid.num_bits, features).tolist()
        value = [[scale * (grid.stride * c - grid.zero_point) for c in row] for row in q]
        following = []
        for i in range(nodes):
            entries = graph.col[int(graph.rowptr[i]) : int(graph.rowptr[i + 1])].tolist()
            row = []
            for f in range(features):
                total = inv_degree[i] * sum((value[j][f] for j in entries), Fraction(0))
                if form == "delta_sigma":
                    sent[i][f] += value[i][f]
                    mixed[i][f] += total
                    total = mixed[i][f]
                row.append(own * z[i][f] + message * total + restart * z0[i][f])
            following.append(row)
        z = following
    return torch.tensor([[float(v) for v in row] for row in z]) * graph.sqrt_degree[:, None]


@pytest.mark.parametrize("form", ["direct", "delta_sigma"])
@pytest.mark.parametrize("own", [0.0, 0.25])
def test_propagation_follows_the_method_for_the_codes_it_sent(form: str, own: float) -> None:
    """H_{k+1} = a H_k + b A q + e X_0, and in the delta-sigma form with the sum of all codes.

    What is still to be sent is added up in units of 2^-8 of a scale; two and a half of them may be
    rounded away in every step, and the codes take up the rest.
    """
    graph, weights = random_graph(7, 30, seed=3), StepCoefficients(own, 0.5, 0.25)
    x0 = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    grids = [Grid(4, 0.6**k / 4, 7) for k in range(4)]
    features, codes = propagate(
        x0, graph, grids, weights, form=form, residual_bits=16, return_codes=True,
        backend="reference",
    )  # fmt: skip
    expected = exact_propagation(x0, graph, codes, grids, weights, form)
    unclipped = sum(2.5 * grid.scale * 2.0**-8 for grid in grids[1:]) * float(
        graph.sqrt_degree.max()
    )
    rounding = 64 * torch.finfo(torch.float32).eps * float(x0.abs().max())
    tolerance = rounding + (unclipped if form == "delta_sigma" else 0.0)
    assert float((features - expected).abs().max()) <= tolerance


def test_delta_sigma_error_is_bounded_by_the_last_residual() -> None:
    """With fine grids both forms approach the float propagation."""
    graph, weights = random_graph(20, 80, seed=4), StepCoefficients(0.0, 0.9, 0.1)
    x0 = torch.randn(20, 4, generator=torch.Generator().manual_seed(1))
    z = x0 * graph.inv_sqrt_degree[:, None]
    z0 = z
    for _ in range(6):
        rows = torch.repeat_interleave(torch.arange(20), graph.rowptr.diff())
        z = 0.9 * graph.inv_degree[:, None] * torch.zeros(20, 4).index_add_(
            0, rows, z[graph.col.long()]
        ) + 0.1 * z0  # fmt: skip
    exact = z * graph.sqrt_degree[:, None]
    coarse = [Grid(2, 1.2, 1)] + [Grid(2, 0.9 * 0.95**k, 1) for k in range(5)]
    direct = propagate(x0, graph, coarse, weights, backend="reference").features
    delta = propagate(
        x0, graph, coarse, weights, form="delta_sigma", residual_bits=16, backend="reference"
    ).features
    assert (delta - exact).norm() < (direct - exact).norm()


def test_permuting_the_nodes_permutes_the_result() -> None:
    graph, weights = random_graph(11, 50, seed=5), StepCoefficients(0.0, 0.9, 0.1)
    x0, grids = random_features(11, 6, seed=2), [Grid(2, 0.5, 1)] * 3
    order = torch.randperm(11, generator=torch.Generator().manual_seed(3))
    rank = torch.argsort(order)
    pieces = [graph.col[int(graph.rowptr[i]) : int(graph.rowptr[i + 1])] for i in order.tolist()]
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), graph.rowptr.diff()[order].cumsum(0)])
    moved = type(graph).from_csr(rowptr, rank[torch.cat(pieces).long()].int())
    for form in ("direct", "delta_sigma"):
        plain = propagate(x0, graph, grids, weights, form=form, backend="reference").features
        result = propagate(x0[order], moved, grids, weights, form=form, backend="reference")
        assert torch.equal(result.features, plain[order])
