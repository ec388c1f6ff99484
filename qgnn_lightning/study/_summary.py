"""Mean and spread over the runs of a cell."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Summary:
    """Mean and unbiased standard deviation of one measure.

    Args:
        mean: The mean.
        std: The standard deviation; ``None`` for a single run.
        count: Number of runs.
    """

    mean: float
    std: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Summarise at least one number."""
        spread = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), spread, len(values))


def summarize(runs: Iterable[Mapping[str, Any]]) -> dict[str, Summary]:
    """Every measure of some runs, by its name.

    Args:
        runs: What is kept of each run.
    """
    values: dict[str, list[float]] = {}
    for run in runs:
        for name, value in run["measures"].items():
            values.setdefault(name, []).append(value)
    return {name: Summary.of(found) for name, found in values.items()}
