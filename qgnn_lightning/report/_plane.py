"""The plane of a chart: where numbers stand in the picture, and the axes around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape

from qgnn_lightning.report._axis import Axis, short

WIDTH, HEIGHT = 420, 260
_LEAST_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 18, 42
#: Of a label: most that a character of 12 px takes in the usual fonts, and the gap to the axis.
_CHARACTER, _GAP = 8, 6


@dataclass(frozen=True)
class Plane:
    """Two axes in a picture of :data:`WIDTH` times :data:`HEIGHT` pixels.

    Args:
        x_axis: The horizontal axis; ``None`` where it has no numbers.
        y_axis: The vertical axis.
    """

    x_axis: Axis | None
    y_axis: Axis

    @cached_property
    def left(self) -> int:
        """Where the vertical axis stands: its widest label has room."""
        widest = max((len(short(tick)) for tick in self.y_axis.ticks()), default=0)
        return max(_LEAST_LEFT, _CHARACTER * widest + _GAP)

    @property
    def width(self) -> int:
        """Length of the horizontal axis."""
        return WIDTH - _RIGHT - self.left

    @property
    def bottom(self) -> int:
        """Where the horizontal axis stands."""
        return HEIGHT - _BOTTOM

    def across(self, x: float) -> float:
        """Where a number stands horizontally; what cannot be shown, at the left."""
        position = None if self.x_axis is None else self.x_axis.place(x)
        return self.left + (position or 0) * self.width

    def down(self, y: float) -> float | None:
        """Where a number stands vertically; ``None`` where it cannot be shown."""
        position = self.y_axis.place(y)
        return None if position is None else self.bottom - position * (self.bottom - _TOP)

    def axes(self, x_label: str) -> str:
        """Lines and numbers of both axes.

        Args:
            x_label: What the horizontal axis counts.
        """
        parts = []
        for tick in self.y_axis.ticks():
            top = self.down(tick) or 0
            parts.append(self._line("grid", top))
            text = f'x="{self.left - _GAP}" y="{top + 4:.1f}">{short(tick)}</text>'
            parts.append(f'<text class="left" {text}')
        for tick in () if self.x_axis is None else self.x_axis.ticks():
            text = short(tick)
            across = min(self.across(tick), WIDTH - _CHARACTER * len(text) / 2)  # not cut off
            place = f'x="{across:.1f}" y="{self.bottom + 16}"'
            parts.append(f'<text class="under" {place}>{text}</text>')
        parts.append(self._line("axis", self.bottom))
        middle = f'x="{self.left + self.width / 2}" y="{HEIGHT - 6}"'
        parts.append(f'<text class="under" {middle}>{escape(x_label)}</text>')
        return "".join(parts)

    def _line(self, kind: str, top: float) -> str:
        """A horizontal line over the whole width."""
        ends = f'x1="{self.left}" x2="{self.left + self.width}"'
        return f'<line class="{kind}" {ends} y1="{top:.1f}" y2="{top:.1f}"/>'
