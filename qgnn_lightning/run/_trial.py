"""How long an epoch takes, from a few that are tried."""

from __future__ import annotations

import math
import time

from lightning.pytorch import Callback, LightningModule, Trainer

#: As many as cover an epoch in which the observers look, by their defaults.
_MOST_EPOCHS = 21
_ENOUGH_SECONDS = 3.0
_FEWEST_EPOCHS = 2


class Trial(Callback):
    """Stops a training after a few epochs; the first, in which ranges are found, does not count.

    To be the last of all callbacks, so that it counts what the others take.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ends: list[float] = []
        self.num_steps = 0  # of the optimizer, in an epoch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._ends = [time.perf_counter()]
        self.num_steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._ends.append(time.perf_counter())
        enough = self._ends[-1] - self._ends[0] >= _ENOUGH_SECONDS
        if self.num_epochs >= (_FEWEST_EPOCHS if enough else _MOST_EPOCHS):
            trainer.should_stop = True

    @property
    def num_epochs(self) -> int:
        """Epochs that count; the only one does, where there was no other."""
        return max(len(self._ends) - 2, min(len(self._ends) - 1, 1), 0)

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch, on average; 0 where there was none."""
        if not self.num_epochs:
            return 0.0
        return (self._ends[-1] - self._ends[-1 - self.num_epochs]) / self.num_epochs
