"""The generators go on where they were."""

from __future__ import annotations

import io
import random

import numpy as np
import torch

from qgnn_lightning.run import RandomState


def _draw() -> list[object]:
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.rand(3).tolist(),
        np.random.randn(3).tolist(),
        torch.rand(3).tolist(),
        torch.randn(3).tolist(),
    ]


def test_every_generator_goes_on_after_a_safe_load():
    np.random.randn()  # NumPy keeps half of a pair of normal numbers
    random.gauss(0, 1)
    buffer = io.BytesIO()
    torch.save(RandomState().state_dict(), buffer)
    expected = _draw()
    buffer.seek(0)
    restored = RandomState()
    restored.load_state_dict(torch.load(buffer, weights_only=True))
    assert _draw() != expected
    restored.on_train_start(None, None)
    assert _draw() == expected


def test_a_state_is_restored_once():
    callback = RandomState()
    callback.load_state_dict(callback.state_dict())
    callback.on_train_start(None, None)
    first = _draw()
    callback.on_train_start(None, None)
    assert _draw() != first
