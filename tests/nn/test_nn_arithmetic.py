"""Quantized inference, bit for bit, against the contract one operation at a time.

Every float32 operation below is rounded on its own; sums of codes and all fixed point are int64.
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


def level_bits(grid: Grid) -> int:
    return grid.num_bits if grid.stride == 1 else 8


def inv_unit(grid: Grid) -> Tensor:
    return (1 / grid.scale) * 2.0 ** (12 - level_bits(grid))


def in_16_bits(units: Tensor) -> Tensor:
    return units.clamp(-(2**15), 2**15 - 1)


def to_units(v: Tensor, grid: Grid) -> Tensor:
    return in_16_bits((v * inv_unit(grid)).round().clamp(-(2.0**20), 2.0**20).long())


def codes_of_units(units: Tensor, grid: Grid) -> Tensor:
    """Rounded half upwards; m q - z."""
    fraction, zero_point = 12 - level_bits(grid), int(grid.zero_point)
    level = (units + 2 ** (fraction - 1)) >> fraction
    if grid.stride == 1:
        return level.clamp(-zero_point, grid.quant_max - zero_point)
    fine = level.clamp(-zero_point, 255 - zero_point) + zero_point
    return (fine + grid.shift).clamp(0, 255).add(42) // 85 * 85 - zero_point


def messages_in_units(codes: Tensor, grid: Grid, later: Grid, b: float) -> Tensor:
    """Gain = mantissa of 15 bits * 2^-shift; products rounded half upwards."""
    quotient = grid.scale * (1 / later.scale)
    gain = (quotient * b) * 2.0 ** (12 - level_bits(grid)) * ADJACENCY.inv_degree
    mantissa, exponent = torch.frexp(gain)
    whole = (mantissa.double() * 2**15 + 0.5).floor().long()
    shift = 15 - exponent.long()
    return in_16_bits((A @ codes * whole + (1 << (shift - 1))) >> shift)


def rescaled(units: Tensor, scale: Tensor, later: Grid) -> Tensor:
    ratio = ((scale * (1 / later.scale)).double() * 2**15).round().long()
    return in_16_bits((units * ratio + 2**14) >> 15)


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
    z, codes = z0, centred_codes(z0, grids[0])
    coarsest = max(grids[1:], key=lambda grid: float(grid.scale))
    for grid, later in zip(grids, [*grids[1:], None], strict=True):
        following = neighbour_term(codes, grid, b) + restart
        z = following + a * z if a else following
        if later is None:
            break
        if a:
            codes = centred_codes(z, later)
        else:
            share = rescaled(to_units(restart, coarsest), coarsest.scale, later)
            units = in_16_bits(share + messages_in_units(codes, grid, later, b))
            codes = codes_of_units(units, later)
    return z * ADJACENCY.sqrt_degree


def delta_sigma_by_contract(
    propagation: Propagation, grids: list[Grid], residual_bits: int | None
) -> Tensor:
    """The lean form, a = 0."""
    b, e = propagation.recurrence.neighbours, propagation.recurrence.restart
    z0 = ADJACENCY.inv_sqrt_degree * X
    v, codes, sent, units = z0, centred_codes(z0, grids[0]), [], None
    for k, (grid, later) in enumerate(zip(grids, [*grids[1:], None], strict=True)):
        if k and residual_bits is None:
            codes = centred_codes(v, grid)
        sent.append(grid.scale * codes.float())
        u, start = neighbour_term(codes, grid, b), (e - 1) * z0
        if residual_bits is None:
            v = (v - sent[-1]) + (u + start if k == 0 else u)
            continue
        fraction = 12 - level_bits(grid)
        if k:
            rest = in_16_bits(units - (codes << fraction))
            if residual_bits == 8:
                narrow = max(fraction - 5, 0)
                rest = (in_16_bits(rest + (1 << narrow) // 2) >> narrow).clamp(-128, 127) << narrow
        if later is None:
            v = (grid.scale * 2.0**-fraction) * rest.float() + u
            continue
        if k == 0:
            carried = to_units((z0 - sent[0]) + start, later)
        else:
            carried = rescaled(rest, grid.scale, later)
        units = in_16_bits(carried + messages_in_units(codes, grid, later, b))
        codes = codes_of_units(units, later)
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
        assert torch.equal(codes.long(), centred_codes(step.before.read, grid))
        assert torch.equal(aggregate(ADJACENCY, codes).long(), A @ codes.long())
