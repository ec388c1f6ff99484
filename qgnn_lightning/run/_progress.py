"""One line of progress for the whole training."""

from __future__ import annotations

import sys
import time

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

_SHOWN = ("train/loss", "val/loss", "val/accuracy")
_START_OF_LINE, _CLEAR_LINE = "\r", "\x1b[K"


class EpochProgress(ProgressBar):
    """Tells the epoch and its metrics on the standard error, at most twice a second.

    Where that is no terminal, a line every ten seconds. Lightning's own bars are redrawn several
    times per epoch, which takes longer than a training step on a small graph.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._in_place = False
        self._drawn = 0.0

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._in_place = sys.stderr.isatty()
        self._drawn = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            _ = trainer.callback_metrics  # adds up over the processes, so all of them must ask
        now = time.monotonic()
        if self._enabled and now - self._drawn >= (0.5 if self._in_place else 10):
            self._drawn = now
            self._draw(_describe(trainer))

    def _draw(self, line: str) -> None:
        text = f"{_START_OF_LINE}{line}{_CLEAR_LINE}" if self._in_place else f"{line}\n"
        print(text, end="", file=sys.stderr, flush=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._clear()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._enabled and self._in_place:
            self._draw("")


def metric_text(name: str, value: float) -> str:
    """A metric as it is shown: an accuracy in percent, a loss with four decimals.

    Args:
        name: Its name, such as ``test/accuracy``.
        value: The number.
    """
    return f"{100 * value:.1f} %" if name.endswith("/accuracy") else f"{value:.4f}"


def _describe(trainer: Trainer) -> str:
    metrics = trainer.callback_metrics
    shown = ", ".join(
        f"{name} {metric_text(name, float(metrics[name]))}" for name in _SHOWN if name in metrics
    )
    return f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {shown}"
