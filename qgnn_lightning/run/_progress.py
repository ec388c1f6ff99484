"""One line of progress for the whole training."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

_SHOWN = ("train/loss", "val/loss", "val/accuracy")


class EpochProgress(ProgressBar):
    """Counts epochs on the standard error, at most twice a second.

    Where that is no terminal, a line every ten seconds takes the place of the bar.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._drawn = 0.0

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    @property
    def _pause(self) -> float:
        return 0.5 if sys.stderr.isatty() else 10.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._drawn = time.monotonic()
        if self._enabled and sys.stderr.isatty():
            self._bar = tqdm(
                total=trainer.max_epochs,
                initial=trainer.current_epoch,
                unit="epoch",
                leave=False,
                dynamic_ncols=True,
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        now = time.monotonic()
        if not self._enabled or now - self._drawn < self._pause:
            return
        self._drawn = now
        metrics = trainer.callback_metrics
        shown = ", ".join(f"{name} {metrics[name]:.4f}" for name in _SHOWN if name in metrics)
        if self._bar is None:
            print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {shown}",
                  file=sys.stderr, flush=True)
        else:
            self._bar.n = trainer.current_epoch + 1
            self._bar.set_postfix_str(shown)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
