"""Axes: from numbers to positions, and round numbers to label them with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, takewhile
from operator import mul
from typing import Protocol

_TARGET = 5
_FEWEST = 3
#: Steps of a logarithmic axis: each is a square root, of 10 and of 2, rounded.
_HALVES_OF_10, _HALVES_OF_2 = (3.0, 10 / 3), (1.4, 2 / 1.4)
#: Of ten, as a float.
_LEAST_POWER = -307
#: Least ratio of the ends of a logarithmic axis: what differs less lies close together.
_LEAST_RATIO = 2.0


class Axis(Protocol):
    """From numbers to positions between 0 and 1."""

    def place(self, value: float) -> float | None:
        """Position of a number; ``None`` where it cannot be shown."""

    def ticks(self) -> list[float]:
        """Round numbers on the axis, equally far from each other."""


@dataclass(frozen=True)
class LinearAxis:
    """Equal steps are equally long.

    Args:
        low: Number at position 0.
        high: Number at position 1.
    """

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float], include: Sequence[float] = ()) -> LinearAxis:
        """An axis from the least to the greatest number, widened to round ones."""
        shown = [*values, *include] or [0.0, 1.0]
        low, high = min(shown), max(shown)
        if low == high == 0:
            high = 1.0
        elif low == high:
            low, high = low - 0.1 * abs(low), high + 0.1 * abs(high)
        step = 0.0
        while step != (step := _round_step(high - low)):  # a wider axis may need longer steps
            low, high = math.floor(low / step) * step, math.ceil(high / step) * step
        return cls(low, high)

    @classmethod
    def starting(cls, values: Sequence[float]) -> LinearAxis:
        """An axis from the least number to a round one that is not below the greatest."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if low == high:
            return cls(low - 1, high + 1)
        step = 0.0
        while step != (step := _round_step(high - low)):
            high = math.ceil(high / step) * step
        return cls(low, high)

    def place(self, value: float) -> float | None:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        step = _round_step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True)
class LogAxis:
    """Equal ratios are equally long.

    Args:
        low: Number at position 0, positive.
        high: Number at position 1.
    """

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> LogAxis:
        """An axis from the least to the greatest positive number."""
        shown = [value for value in values if value > 0] or [1.0]
        ratio = max(shown) / min(shown)
        room = max(ratio**0.06, 1.1, math.sqrt(_LEAST_RATIO / ratio))
        return cls(min(shown) / room, max(shown) * room)

    def place(self, value: float) -> float | None:
        if value <= 0:
            return None
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[float]:
        first, last = _decade(self.low), _decade(self.high)
        found = self._rising(first, (10.0,))
        found = found[:: math.ceil(len(found) / (_TARGET + 1)) or 1]
        # Powers of 2 that 1, 10, 100 or the like is one of, where that is among them.
        near = last / 8 if last / 8 <= self.low else first
        for start, factors in ((first, _HALVES_OF_10), (near, (2.0,)), (near, _HALVES_OF_2)):
            if len(found) < _FEWEST:
                found = self._rising(start, factors)
        return found

    def _rising(self, start: float, factors: Sequence[float]) -> list[float]:
        """Numbers on the axis, from one below it by factors that take turns."""
        rising = accumulate(cycle(factors), mul, initial=start)
        return [one for one in takewhile(self.high.__ge__, rising) if one >= self.low]


def _decade(value: float) -> float:
    """The greatest power of ten that is not above a number."""
    return 10.0 ** max(math.floor(math.log10(value)), _LEAST_POWER)


def _round_step(extent: float) -> float:
    """1, 2 or 5 times a power of ten, of which about five fit into an extent."""
    raw = extent / _TARGET
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if raw <= factor * power * (1 + 1e-9))


def short(value: float) -> str:
    """A number for a label: three digits, powers of ten where it is long."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        return text
    digits, power = f"{value:.2e}".split("e")
    return f"{float(digits):g}e{int(power)}"
