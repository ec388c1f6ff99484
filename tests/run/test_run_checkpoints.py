"""The best and the last checkpoint, with a trainer that only pretends."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn

from qgnn_lightning.objectives import NonFiniteError
from qgnn_lightning.run import BestCheckpoint, CheckpointError, LastCheckpoint, best_epoch


class FakeTrainer:
    """As much of a trainer as the checkpoints look at."""

    def __init__(self, max_epochs: int = 7) -> None:
        self.max_epochs = max_epochs
        self.current_epoch = 0
        self.callback_metrics: dict[str, torch.Tensor] = {}
        self.sanity_checking = self.fast_dev_run = self.should_stop = False
        self.is_global_zero = True
        self.world_size = 1
        self.state = SimpleNamespace(fn=TrainerFn.FITTING)
        self.loggers: list[object] = []
        self.saved: list[tuple[str, int]] = []

    @property
    def global_step(self) -> int:
        return self.current_epoch + 1

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append((path.name.removeprefix(".unfinished-"), self.current_epoch))
        path.unlink(missing_ok=True)
        torch.save({"epoch": self.current_epoch}, path)

    def run_epoch(self, callback, epoch: int, score: float | None = None) -> None:
        self.current_epoch = epoch
        if score is not None:
            self.callback_metrics["val/accuracy"] = torch.tensor(score)
            callback.on_validation_end(self, None)
        callback.on_train_epoch_end(self, None)


def started(path: Path, every_n_epochs: int = 25) -> LastCheckpoint:
    """In a training that begins before its first step."""
    last = LastCheckpoint(path, every_n_epochs)
    trainer = FakeTrainer()
    trainer.current_epoch = -1
    last.on_train_start(trainer, None)
    return last


def test_best_keeps_the_first_of_the_highest(tmp_path):
    trainer, best = FakeTrainer(), BestCheckpoint(tmp_path / "best.ckpt")
    assert not best.found
    for epoch, score in enumerate([0.2, 0.5, 0.5, math.nan, 0.4, 0.6]):
        trainer.run_epoch(best, epoch, score)
    assert [epoch for _, epoch in trainer.saved] == [0, 1, 5]
    assert (best.epoch, best.score) == (5, pytest.approx(0.6))


def test_best_ignores_epochs_without_validation_and_other_stages(tmp_path):
    trainer, best = FakeTrainer(), BestCheckpoint(tmp_path / "best.ckpt")
    trainer.run_epoch(best, 0, 0.2)
    trainer.callback_metrics["val/accuracy"] = torch.tensor(0.9)  # stale
    trainer.run_epoch(best, 1)
    trainer.sanity_checking = True
    trainer.run_epoch(best, 2, 0.9)
    trainer.sanity_checking = False
    trainer.state.fn = TrainerFn.VALIDATING
    trainer.run_epoch(best, 3, 0.9)
    assert trainer.saved == [("best.ckpt", 0)]


@pytest.mark.parametrize("stored_epoch", [2, 3, None])
def test_best_goes_on_only_with_the_checkpoint_it_speaks_of(tmp_path, stored_epoch):
    path = tmp_path / "best.ckpt"
    if stored_epoch is not None:
        torch.save({"epoch": stored_epoch}, path)
    best = BestCheckpoint(path, kept_epoch=best_epoch(path))
    best.load_state_dict({"score": 0.7, "epoch": 2})
    assert best.found == (stored_epoch == 2)
    trainer = FakeTrainer()
    trainer.run_epoch(best, 4, 0.6)
    assert bool(trainer.saved) == (stored_epoch != 2)


def test_last_is_saved_now_and_then_and_at_the_end(tmp_path):
    trainer, last = FakeTrainer(max_epochs=7), started(tmp_path / "last.ckpt", 3)
    for epoch in range(7):
        trainer.run_epoch(last, epoch)
    last.on_train_end(trainer, None)
    assert [epoch for _, epoch in trainer.saved] == [2, 5, 6]


def test_last_is_saved_where_the_training_is_stopped(tmp_path):
    trainer, last = FakeTrainer(), started(tmp_path / "last.ckpt")
    trainer.run_epoch(last, 0)
    trainer.should_stop = True
    trainer.run_epoch(last, 1)
    last.on_train_end(trainer, None)
    assert [epoch for _, epoch in trainer.saved] == [1]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("disk"), True),
        (NonFiniteError("nan"), False),
        (CheckpointError("full"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_last_is_saved_on_an_error_unless_the_network_is_broken(tmp_path, error, kept):
    trainer, last = FakeTrainer(), started(tmp_path / "last.ckpt")
    last.on_exception(trainer, None, error)
    assert bool(trainer.saved) == kept
    last.on_exception(trainer, None, error)
    assert len(trainer.saved) == kept


def test_nothing_is_saved_on_an_error_of_several_processes(tmp_path):
    trainer, last = FakeTrainer(), LastCheckpoint(tmp_path / "last.ckpt")
    trainer.world_size = 2
    last.on_exception(trainer, None, RuntimeError("Connection closed by peer"))
    assert not trainer.saved


def test_nothing_is_saved_before_the_first_step_of_a_continued_run(tmp_path):
    trainer, last = FakeTrainer(), LastCheckpoint(tmp_path / "last.ckpt")
    trainer.current_epoch = 5
    last.on_train_start(trainer, None)
    last.on_exception(trainer, None, ValueError("at once"))
    assert not trainer.saved


def test_last_gets_its_name_when_the_logs_of_its_epoch_are_written(tmp_path):
    trainer, last = FakeTrainer(), started(tmp_path / "last.ckpt", 1)
    trainer.run_epoch(last, 0)
    assert not last.path.exists()
    last.on_train_epoch_start(trainer, None)
    assert torch.load(last.path)["epoch"] == 0
    trainer.run_epoch(last, 1)
    last.on_exception(trainer, None, NonFiniteError("nan"))
    assert torch.load(last.path)["epoch"] == 1
    assert list(tmp_path.iterdir()) == [last.path]


def test_what_was_restored_in_part_is_not_saved(tmp_path):
    trainer, last = FakeTrainer(), LastCheckpoint(tmp_path / "last.ckpt")
    trainer.current_epoch = 5
    last.on_exception(trainer, None, ValueError("while the optimizer is restored"))
    assert not trainer.saved


def test_last_needs_a_positive_number_of_epochs(tmp_path):
    with pytest.raises(ValueError, match="every_n_epochs must be at least 1, got 0"):
        LastCheckpoint(tmp_path / "last.ckpt", 0)
