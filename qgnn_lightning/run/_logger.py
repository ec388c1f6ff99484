"""TensorBoard in the run directory."""

from __future__ import annotations

import time
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger

_SECONDS_BETWEEN_FLUSHES = 2.0


class RunLogger(TensorBoardLogger):
    """TensorBoard's files directly in the directory of a run.

    They reach the disk every two seconds, not with every number: on small graphs that takes
    longer than a training step.

    Args:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent, name="", version=path.name, default_hp_metric=False)
        self._flushed = -_SECONDS_BETWEEN_FLUSHES

    def save(self) -> None:
        now = time.monotonic()
        if now - self._flushed >= _SECONDS_BETWEEN_FLUSHES:
            self._flushed = now
            super().save()
