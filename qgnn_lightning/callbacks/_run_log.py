"""Where the observers write: the loggers and the directory of the run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.logger import DummyLogger

from qgnn_lightning.callbacks._series import Series
from qgnn_lightning.storage import DIAGNOSTICS_FILE


def log_step(trainer: Trainer) -> int:
    """Number of the last optimizer step, from 0: where Lightning puts ``val/loss`` too."""
    return max(trainer.global_step - 1, 0)


def run_directory(trainer: Trainer) -> Path | None:
    """Directory of the run, or ``None`` where the run leaves no files.

    Not ``trainer.log_dir``, which waits for the other processes.
    """
    logger = trainer.logger
    if logger is None or isinstance(logger, DummyLogger):  # a dummy: fast_dev_run
        return None
    has_own = isinstance(logger, (TensorBoardLogger, CSVLogger))
    directory = logger.log_dir if has_own else logger.save_dir
    if directory is None or "://" in str(directory):
        return None
    return Path(directory)


def tensorboard_writers(trainer: Trainer) -> list[Any]:
    """The writers of the run's TensorBoard loggers."""
    if not trainer.is_global_zero:
        return []
    loggers = trainer.loggers
    return [logger.experiment for logger in loggers if isinstance(logger, TensorBoardLogger)]


def record(
    trainer: Trainer, series: Iterable[Series], scalars: Mapping[str, float] | None = None
) -> None:
    """Send the shown steps to every logger and all steps to the run directory.

    Args:
        trainer: The trainer, on process zero.
        series: Numbers per propagation step.
        scalars: Single numbers.
    """
    series = list(series)
    metrics = dict(scalars or {})
    for one in series:
        metrics |= one.scalars()
    if not metrics:
        return
    for logger in trainer.loggers:
        logger.log_metrics(metrics, log_step(trainer))
    directory = run_directory(trainer)
    if directory is not None:
        _append(directory / DIAGNOSTICS_FILE, log_step(trainer), series)


def _append(path: Path, step: int, series: Iterable[Series]) -> None:
    lines = [
        json.dumps(
            {
                "step": step,
                "tag": one.tag,
                "first": one.first,
                # JSON knows no NaN and no infinity.
                "values": [value if math.isfinite(value) else None for value in one.values],
            }
        )
        for one in series
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
