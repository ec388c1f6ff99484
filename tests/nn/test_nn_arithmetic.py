"""Quantized inference in float32, bit for bit, against the contract one operation at a time.

Every line of the functions below is one float32 operation, rounded on its own; sums of codes
are sums of int64.
"""

from __future__ import annotations

import pytest
import torch
from propagations import constrained
from random_graphs import normal, ring_with_chords
from torch import Tensor

from qgnn_lightning.graph import aggregate
from qgnn_lightning.nn import (
    DeltaSigmaMessages,
    DirectMessages,
    PersonalizedPropagation,
    PowerPropagation,
    Propagation,
    Recurrence,
)
from qgnn_lightning.quantization import Grid, make_quantizer

GRAPH = ring_with_chords(53)
A = GRAPH.dense().long()
ADJACENCY = GRAPH.adjacency(torch.float32)
X = normal(7, 53, 6, dtype=torch.float32).exp() - 0.9
NUM_STEPS = 5
RESIDUALS = {8: (5, 127), 16: (10, 32767)}


def centred_codes(x: Tensor, grid: Grid) -> Tensor:
    """m q - z as int64."""
    inv_scale = 1 / grid.scale
    zero_point = int(grid.zero_point)
    if grid.stride == 1:
        return (x * inv_scale).round().clamp(-zero_point, grid.quant_max - zero_point).long()
    fine = (x * inv_scale).round().clamp(-zero_point, 255 - zero_point).long() + zero_point
    return (fine + grid.shift).clamp(0, 255).add(42) // 85 * 85 - zero_point


def neighbour_term(codes: Tensor, grid: Grid, b: float) -> Tensor:
    gain = b * grid.scale
    total = (A @ codes).float()
    return (gain * ADJACENCY.inv_degree) * total


def direct_by_contract(propagation: Propagation, grids: list[Grid]) -> Tensor:
    a, b, e = (getattr(propagation.recurrence, n) for n in ("keep", "neighbours", "restart"))
    z0 = ADJACENCY.inv_sqrt_degree * X
    restart = e * z0
    z = z0
    for grid in grids:
        following = neighbour_term(centred_codes(z, grid), grid, b) + restart
        if a:
            following = following + a * z
        z = following
    return z * ADJACENCY.sqrt_degree


def delta_sigma_by_contract(
    propagation: Propagation, grids: list[Grid], residual_bits: int | None
) -> Tensor:
    """The lean form, a = 0."""
    b, e = propagation.recurrence.neighbours, propagation.recurrence.restart
    z0 = ADJACENCY.inv_sqrt_degree * X
    v, sent = z0, []
    for k, grid in enumerate(grids):
        codes = centred_codes(v, grid)
        sent.append(grid.scale * codes.float())
        r, u = v - sent[-1], neighbour_term(codes, grid, b)
        if k == 0:
            v = (r + (e - 1) * z0) + u
            continue
        if residual_bits is not None:
            fraction_bits, largest = RESIDUALS[residual_bits]
            unit, inv_unit = grid.scale * 2.0**-fraction_bits, (1 / grid.scale) * 2.0**fraction_bits
            r = unit * (r * inv_unit).round().clamp(-largest, largest)
        v = r + u
    total = sent[0]
    for value in sent[1:]:
        total = total + value
    return (total + v) * ADJACENCY.sqrt_degree


def quantizers(name: str, num_bits: int):
    return [make_quantizer(name, num_bits) for _ in range(NUM_STEPS)]


def calibrated(propagation: Propagation) -> tuple[Propagation, list[Grid]]:
    with torch.no_grad():
        for _ in range(2):
            propagation(X, ADJACENCY)
    propagation.eval()
    return propagation, [quantizer.grid() for quantizer in propagation.messages.quantizers]


schemes = pytest.mark.parametrize(
    ("name", "num_bits"),
    [("learned_range", b) for b in (1, 2, 4, 8)]
    + [("min_max", 8), ("bitwise_truncation", 2), ("skewness_truncation", 2)],
)
MAKERS = {
    "personalized": lambda messages: PersonalizedPropagation(messages, 0.1),
    "powers": PowerPropagation,
    "smoothness_aware": constrained,
}


@schemes
@pytest.mark.parametrize("kind", [*MAKERS, "keeps"])
def test_direct(name, num_bits, kind):
    messages = DirectMessages(quantizers(name, num_bits))
    if kind == "keeps":
        propagation = constrained(messages, recurrence=Recurrence(0.3, 0.55, 0.15))
    else:
        propagation = MAKERS[kind](messages)
        assert propagation.recurrence.keep == 0
    propagation, grids = calibrated(propagation)
    assert torch.equal(propagation(X, ADJACENCY), direct_by_contract(propagation, grids))


@schemes
@pytest.mark.parametrize("residual_bits", [8, 16, None])
@pytest.mark.parametrize("kind", MAKERS)
def test_delta_sigma(name, num_bits, kind, residual_bits):
    propagation = MAKERS[kind](
        DeltaSigmaMessages(quantizers(name, num_bits), residual_bits=residual_bits)
    )
    assert propagation.recurrence.keep == 0
    propagation, grids = calibrated(propagation)
    expected = delta_sigma_by_contract(propagation, grids, residual_bits)
    assert torch.equal(propagation(X, ADJACENCY), expected)


@schemes
@pytest.mark.parametrize("make", [DirectMessages, DeltaSigmaMessages])
def test_sums_over_the_neighbours_are_the_exact_integers(name, num_bits, make):
    propagation, grids = calibrated(PersonalizedPropagation(make(quantizers(name, num_bits))))
    for step, grid in zip(propagation.steps(X, ADJACENCY), grids, strict=True):
        codes = step.sent.centred
        assert torch.equal(codes, codes.round())
        assert torch.equal(codes.long(), centred_codes(step.message, grid))
        assert torch.equal(aggregate(ADJACENCY, codes).long(), A @ codes.long())
