"""One number per propagation step, and which of them a dashboard shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

#: Above it, a dashboard shows evenly spaced steps, the first and the last.
_INTERVALS_SHOWN = 16


def shown_steps(first: int, last: int) -> list[int]:
    """The steps that a dashboard shows: all of them, or at most 17 where there are many.

    Args:
        first: Number of the first step, 0 where the input counts, 1 otherwise.
        last: Number of the last step.
    """
    stride = max(1, math.ceil(last / _INTERVALS_SHOWN))
    inner = (step for step in range(first, last + 1) if step % stride == 0)
    return sorted({first, last, *inner})


def step_tag(tag: str, step: int) -> str:
    """Name of one step's number: padded with zeros, so that names sort as numbers do."""
    return f"{tag}/step_{step:03d}"


@dataclass(frozen=True)
class Series:
    """One number per propagation step.

    Args:
        tag: What it is, with slashes between its parts.
        first: Number of the first step, 0 where the input counts, 1 otherwise.
        values: From the first step to the last.
    """

    tag: str
    first: int
    values: tuple[float, ...]

    @classmethod
    def of(cls, tag: str, values: Tensor, *, first: int = 1) -> Series:
        """Copy the numbers from where they were computed.

        Shapes:
            values: ``(num_steps,)``, or ``(num_steps + 1,)`` with the input.
        """
        return cls(tag, first, tuple(values.tolist()))

    @property
    def last(self) -> int:
        """Number of the last step."""
        return self.first + len(self.values) - 1

    def scalars(self) -> dict[str, float]:
        """The finite numbers of the shown steps, by name."""
        shown = {
            step_tag(self.tag, step): self.values[step - self.first]
            for step in shown_steps(self.first, self.last)
        }
        return {tag: value for tag, value in shown.items() if math.isfinite(value)}
