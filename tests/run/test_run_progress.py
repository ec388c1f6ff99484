"""One line of progress, seldom."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from qgnn_lightning.run import EpochProgress


class Clock:
    """Time that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("qgnn_lightning.run._progress.time", clock)
    return clock


def _trainer(epoch: int = 0) -> SimpleNamespace:
    metrics = {"val/accuracy": torch.tensor(0.5), "train/loss": torch.tensor(1.25)}
    return SimpleNamespace(
        world_size=1, max_epochs=50, current_epoch=epoch, callback_metrics=metrics
    )


def test_without_a_terminal_a_line_every_ten_seconds(clock, capsys):
    progress = EpochProgress()
    progress.on_train_start(_trainer(), None)
    for epoch in range(50):
        clock.now += 1
        progress.on_train_epoch_end(_trainer(epoch), None)
    progress.on_train_end(_trainer(), None)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 5
    assert lines[0] == "epoch 10/50: train/loss 1.2500, val/accuracy 50.0 %"


def test_a_terminal_is_redrawn_at_most_twice_a_second(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = EpochProgress()
    progress.on_train_start(_trainer(), None)
    for epoch in range(48):
        clock.now += 0.125
        progress.on_train_epoch_end(_trainer(epoch), None)
    progress.on_exception(_trainer(), None, ValueError())
    drawn = capsys.readouterr().err
    assert drawn.count("\r") == 48 * 0.125 / 0.5 + 1  # and once to clear the line
    assert "\n" not in drawn
    assert drawn.endswith("\r\x1b[K")


def test_disabled_it_is_silent(clock, capsys):
    progress = EpochProgress()
    progress.disable()
    progress.on_train_start(_trainer(), None)
    clock.now += 100
    progress.on_train_epoch_end(_trainer(), None)
    assert capsys.readouterr().err == ""
    progress.enable()
    progress.on_train_epoch_end(_trainer(), None)
    assert capsys.readouterr().err != ""
