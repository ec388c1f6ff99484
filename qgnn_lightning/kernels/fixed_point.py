r"""Numbers of 16 bits in which a step adds what comes from the node and from its neighbours.

A unit of a step is its scale divided by :math:`2^f`: a code is :math:`2^f` units. Whole numbers
of units are kept in floating point; those beyond 16 bits saturate. Rounding to whole units is
upwards from the middle, :math:`\lfloor v + 1/2 \rfloor`, which 16-bit processor instructions do.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Fraction bits of a residual that is stored in 8 bits.
NARROW_FRACTION_BITS = 5

_LOWEST, _HIGHEST = -(1 << 15), (1 << 15) - 1
_QUARTER = 0.25
# With this gain, 1 is still more than 13 bits of units; beyond this ratio all but 0 saturates.
_LARGEST_GAIN, _LARGEST_RATIO = 2.0**14 - 0.5, 2.0**15
_FINITE = 2.0**60
_RATIO_UNITS = 2.0**15
# The bits of a float32 that a mantissa of 15 bits leaves out.
_MANTISSA_REST = (1 << 9) - 1


def fraction_bits(level_bits: int) -> int:
    """Bits :math:`f` of the fraction: 10 for 2 bits, 8 for 4 and 4 for 8.

    The range is then eight times that of the codes, on either side of 0.

    Args:
        level_bits: Bits of the levels that a value is rounded to, before any truncation.
    """
    return 12 - level_bits


def saturate(units: Tensor) -> Tensor:
    """Limit whole units to 16 bits."""
    return units.clamp(_LOWEST, _HIGHEST)


def to_units(v: Tensor, inv_unit: Tensor) -> Tensor:
    """Nearest whole units of real numbers, half to even, saturated; keeps the type."""
    return saturate((v * inv_unit).round())


def units_read(units: Tensor) -> Tensor:
    """What a quantizer is given: a quarter above, so that rounding meets no tie.

    The code of the middle between two levels is then the upper one in any arithmetic.
    """
    return units + _QUARTER


def message_gain(scale: Tensor, next_scale: Tensor, weight: float, level_bits: int) -> Tensor:
    """Units of the next step that a centred code of this one is worth, float32."""
    gain = (_quotient(scale, next_scale) * weight) * float(1 << fraction_bits(level_bits))
    return gain.clamp(-_FINITE, _FINITE)


def unit_ratio(scale: Tensor, next_scale: Tensor) -> Tensor:
    """A unit of one step in those of another, float64, rounded to a multiple of 2^-15."""
    ratio = _quotient(scale, next_scale).double().clamp(max=_LARGEST_RATIO)
    return (ratio * _RATIO_UNITS).round() / _RATIO_UNITS


def message_units(total: Tensor, gain: Tensor) -> Tensor:
    r"""Exact sums of centred codes in units of the next step, float32.

    The gain is rounded to :math:`m 2^{e-15}` with a mantissa :math:`m` of 15 bits, and sums are
    limited to what :math:`2^e` leaves within 16 bits: only results beyond 16 383 units notice, of
    which at least half is left.

    Args:
        total: Whole numbers of any type, below 2^31.
        gain: float32, broadcastable, limited to 14 bits before the point.
    """
    limited = gain.clamp(-_LARGEST_GAIN, _LARGEST_GAIN).contiguous()
    bits = limited.view(torch.int32) + (_MANTISSA_REST + 1) // 2
    narrow = (bits & ~_MANTISSA_REST).view(torch.float32)
    exponent = ((bits >> 23) & 255) - 126
    # The bits of 2 to the power of -exponent, in float64.
    shift = ((1023 - exponent.long()) << 52).view(torch.float64)
    largest = (shift * _HIGHEST).floor()
    kept = total.double().clamp(-largest, largest)
    return _whole(kept * narrow.double()).float()


def rescale(units: Tensor, ratio: Tensor) -> Tensor:
    """Units of one step in those of another, rounded and saturated; keeps the type."""
    return _whole(units.double() * ratio).to(units.dtype)


def narrowed(units: Tensor, level_bits: int) -> Tensor:
    """Units as they come back from 8 bits, with at most 5 of these for the fraction."""
    step = float(1 << max(fraction_bits(level_bits) - NARROW_FRACTION_BITS, 0))
    if step == 1:
        return units.clamp(-128, 127)
    return (saturate(units + step / 2) / step).floor().clamp(-128, 127) * step


def _quotient(scale: Tensor, next_scale: Tensor) -> Tensor:
    return scale.to(torch.float32) * (1.0 / next_scale.to(torch.float32))


def _whole(v: Tensor) -> Tensor:
    return saturate((v + 0.5).floor_())
