"""The two checkpoints of a run: the best epoch, and the last one to continue from.

Lightning's own ``ModelCheckpoint`` copies all metrics in every epoch, keeps absolute paths in its
state and warns when a run was moved; on small graphs it takes longer than a training step.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn

from qgnn_lightning.objectives import NonFiniteError
from qgnn_lightning.run._checkpoint_files import CheckpointError, read_checkpoint
from qgnn_lightning.storage import unfinished_path

_NOT_KEPT = (NonFiniteError, CheckpointError, SystemExit, KeyboardInterrupt)


def _saves(trainer: Trainer) -> bool:
    fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
    return fitting and not trainer.fast_dev_run  # type: ignore[attr-defined]


class BestCheckpoint(Checkpoint):
    """Keeps the first epoch in which a metric was the highest.

    Args:
        path: The file, overwritten with every better epoch.
        monitor: The metric.
        kept_epoch: What :func:`best_epoch` found of the run that is continued.
    """

    def __init__(
        self, path: Path, monitor: str = "val/accuracy", kept_epoch: int | None = None
    ) -> None:
        super().__init__()
        self.path = path
        self.monitor = monitor
        self._kept_epoch = kept_epoch
        self.score = -math.inf
        self.epoch = -1
        self._validated = False

    @property
    def found(self) -> bool:
        """Whether there is a best epoch."""
        return self.epoch >= 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not (self._validated and _saves(trainer)):
            return
        self._validated = False
        score = float(trainer.callback_metrics.get(self.monitor, math.nan))
        if score > self.score:
            self.score, self.epoch = score, trainer.current_epoch
            trainer.save_checkpoint(self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a best epoch whose checkpoint is there; otherwise the next one is the best.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        epoch = int(state_dict["epoch"])
        if epoch >= 0 and epoch == self._kept_epoch:
            self.score, self.epoch = float(state_dict["score"]), epoch


def best_epoch(path: Path) -> int | None:
    """Epoch of the best checkpoint of a run that is to be continued; ``None`` without one.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged.
    """
    if not path.is_file():
        return None
    try:
        stored: int | None = read_checkpoint(path).get("epoch")
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}: remove it to go on; the best epoch is then one of those to come"
        ) from error
    return stored


class LastCheckpoint(Checkpoint):
    """Keeps the newest epoch: every few epochs, at the end, and when the run is broken off.

    After a :class:`NonFiniteError`, or where a step may have been cut in two, the file stays as it
    was: what broke is not kept. Nor is anything of several processes, one of which may be gone.

    The file gets its name when the logs of its epoch, which Lightning writes after this callback,
    are on their way to the disk: a continued run writes only what comes after the checkpoint.

    Args:
        path: The file, overwritten each time.
        every_n_epochs: Epochs between two savings, at least 1.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    def __init__(self, path: Path, every_n_epochs: int = 25) -> None:
        super().__init__()
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be at least 1, got {every_n_epochs}")
        self.path = path
        self.every_n_epochs = every_n_epochs
        self._unnamed = unfinished_path(path)
        self._written = False
        self._saved_step: int | None = None  # what is restored may break off in the middle

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved_step = trainer.global_step

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._commit(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        done = trainer.current_epoch + 1
        if done % self.every_n_epochs == 0 or done == trainer.max_epochs or trainer.should_stop:
            self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer)
        self._commit(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if trainer.world_size == 1 and not isinstance(exception, _NOT_KEPT):
            self._write(trainer)
        self._commit(trainer)

    def _write(self, trainer: Trainer) -> None:
        if self._saved_step is None or trainer.global_step == self._saved_step:
            return
        if _saves(trainer):
            trainer.save_checkpoint(self._unnamed)
            self._saved_step = trainer.global_step
            self._written = True

    def _commit(self, trainer: Trainer) -> None:
        if not self._written:
            return
        self._written = False
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.flush()
            self._unnamed.replace(self.path)
