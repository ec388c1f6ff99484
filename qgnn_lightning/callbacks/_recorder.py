"""Observers whose findings are numbers per propagation step."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lightning.pytorch import Callback, Trainer

from qgnn_lightning.callbacks._observer import Observer, Subject
from qgnn_lightning.callbacks._run_log import record
from qgnn_lightning.callbacks._series import Series


@dataclass(frozen=True)
class Measurement:
    """What a recorder has found.

    Args:
        series: Numbers per propagation step.
        scalars: Single numbers.
    """

    series: tuple[Series, ...] = ()
    scalars: dict[str, float] = field(default_factory=dict)


class Recorder(Observer):
    """Sends what it measures to the loggers and into the directory of the run.

    Args:
        every_n_epochs: Training epochs between two measurements, at least 1.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    @abstractmethod
    def measure(self, subject: Subject) -> Measurement:
        """Measure.

        Args:
            subject: What to look at.
        """

    def observe(self, trainer: Trainer, subject: Subject) -> None:
        found = self.measure(subject)
        record(trainer, found.series, found.scalars)


def measure_all(callbacks: Iterable[Callback], subject: Subject) -> dict[str, Any]:
    """What the recorders among some callbacks find in a network, as plain values.

    Args:
        callbacks: Callbacks of any kind.
        subject: The network, in evaluation mode, and its graph.

    Returns:
        For each tag the number of its first step, and the values; ``None`` is not finite.
    """
    found = [one.measure(subject) for one in callbacks if isinstance(one, Recorder)]
    return {
        series.tag: {
            "first": series.first,
            "values": [value if math.isfinite(value) else None for value in series.values],
        }
        for measurement in found
        for series in measurement.series
    }
