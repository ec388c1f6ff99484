"""Numbers from files, checked."""

from __future__ import annotations

from typing import Any

#: Beyond it, differences and ratios would overflow.
_LARGEST = 1e150


def finite(value: Any) -> float | None:
    """A number that can be drawn, or ``None``."""
    return float(value) if value is not None and abs(float(value)) < _LARGEST else None


def number(value: Any) -> float:
    """A finite number; anything else raises ValueError."""
    found = finite(value)
    if found is None:
        raise ValueError(f"a finite number is needed, got {value!r}")
    return found


def share(value: Any) -> float:
    """A number from 0 to 1; anything else raises ValueError."""
    if not 0 <= number(value) <= 1:
        raise ValueError(f"a number in [0, 1] is needed, got {value!r}")
    return float(value)


def count(value: Any) -> int:
    """A number of things; anything else raises ValueError."""
    if not 0 <= number(value) < 2**63:
        raise ValueError(f"a number of things is needed, got {value!r}")
    return int(value)
