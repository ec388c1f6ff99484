"""TensorBoard in the run directory."""

from __future__ import annotations

import time
from pathlib import Path

from lightning.pytorch.core.saving import save_hparams_to_yaml
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from qgnn_lightning.storage import atomic_path

_SECONDS_BETWEEN_FLUSHES = 2.0


class RunLogger(TensorBoardLogger):
    """TensorBoard's files directly in the directory of a run.

    They reach the disk every two seconds, not with every number: on small graphs that takes
    longer than a training step. The file of hyperparameters, which Lightning writes once and never
    again, is there as a whole or not at all.

    Args:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent, name="", version=path.name, default_hp_metric=False)
        self._flushed = -_SECONDS_BETWEEN_FLUSHES

    @rank_zero_only
    def save(self) -> None:
        now = time.monotonic()
        if now - self._flushed >= _SECONDS_BETWEEN_FLUSHES:
            self._flushed = now
            self._write_hparams()
            super().save()

    def _write_hparams(self) -> None:
        file = Path(self.log_dir) / self.NAME_HPARAMS_FILE
        if not file.is_file():
            with atomic_path(file) as path:
                save_hparams_to_yaml(path, self.hparams)
