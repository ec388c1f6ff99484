"""Stopping between two epochs when the user or the system asks for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
#: What a system sends to a run whose time is up.
_REQUEUING = (signal.SIGTERM, signal.SIGUSR1)


def ignore_requeuing() -> None:
    """From now on this process ends as if nobody had asked it to stop: its run is finished.

    An exit code above 128 would put a finished run into the queue again.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _REQUEUING:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def heeding_requeuing() -> Iterator[None]:
    """Undo :func:`ignore_requeuing` at the end, in a process that does more than one run."""
    before = {number: signal.getsignal(number) for number in _REQUEUING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stopped(SystemExit):
    """The training was stopped by a signal; the exit code is 128 plus its number."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.name = signal.Signals(signum).name


class StopOnSignal(Callback):
    """Stops the training after the current epoch on Ctrl-C, SIGTERM or SIGUSR1.

    What :class:`LastCheckpoint` saves is then a whole epoch, from which the run goes on as if it
    had never stopped. A second signal stops at once. Of several processes, a signal to one stops
    all of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._received: int | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._received = None
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self._received is not None:
            raise Stopped(signum)
        self._received = signum

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            self._received = self._agree(trainer)
        if self._received is not None:
            trainer.should_stop = True  # seen by LastCheckpoint, which comes after

    def _agree(self, trainer: Trainer) -> int | None:
        """The signal that any of the processes has received."""
        own = torch.tensor(self._received or 0, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(own, reduce_op="max")) or None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._received is not None:  # where a least number of epochs keeps Lightning going
            raise Stopped(self._received)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._restore()
        if self._received is not None:
            raise Stopped(self._received)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
