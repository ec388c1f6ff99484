"""Axes: from numbers to positions, and round numbers to label them with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_TARGET = 5
_FEWEST = 3
#: Least ratio of the ends of a logarithmic axis: what differs less lies close together.
_LEAST_RATIO = 2.0


class Axis(Protocol):
    """From numbers to positions between 0 and 1."""

    def place(self, value: float) -> float | None:
        """Position of a number; ``None`` where it cannot be shown."""

    def ticks(self) -> list[float]:
        """Round numbers on the axis."""


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
            low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
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
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
            all_ticks = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [tick for tick in all_ticks if self.low <= tick <= self.high]
            if len(found) >= _FEWEST:
                return found[:: math.ceil(len(found) / (_TARGET + 1))]
        # Numbers so close that equal ratios are almost equal steps.
        evenly = LinearAxis(self.low, self.high).ticks()
        return [tick for tick in evenly if self.low <= tick <= self.high]


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
