"""Calibration keeps what has the smallest error, and no training is needed for it."""

from __future__ import annotations

import pytest
import torch
from random_graphs import normal, ring_with_chords

from qgnn_lightning.nn import PropagationConfig, calibrate, error_bound, make_propagation
from qgnn_lightning.quantization import Precision

X = normal(0, 31, 6, dtype=torch.float64)
ADJACENCY = ring_with_chords(31).adjacency(torch.float64)


def propagation(messages: str, num_steps: int):
    config = PropagationConfig("personalized", messages, num_steps=num_steps)
    return make_propagation(config, Precision(message=2)).double()


@pytest.mark.parametrize("messages", ["direct", "delta_sigma"])
@pytest.mark.parametrize("num_steps", [1, 24])
def test_error_is_the_smallest_of_all_fractions_tried_by_hand(messages, num_steps):
    calibrated = propagation(messages, num_steps)
    calibrate(calibrated, X, ADJACENCY)
    found = error_bound(calibrated, X, ADJACENCY)
    by_hand = propagation(messages, num_steps)
    by_hand.train()(X, ADJACENCY)
    by_hand.eval()
    errors = [float(error_bound(by_hand, X, ADJACENCY).measured[-1])]
    for fraction in (0.1, 0.1 * 1.08**9, 0.1 * 1.08**20, 1.0):
        for quantizer in by_hand.messages.quantizers:
            quantizer.fraction.fill_(fraction)
        errors.append(float(error_bound(by_hand, X, ADJACENCY).measured[-1]))
    assert float(found.measured[-1]) <= min(errors)
    assert bool((found.measured <= found.sharp + 1e-9).all())
    assert not calibrated.training


def test_deep_delta_sigma_gains_from_it():
    plain, calibrated = propagation("delta_sigma", 64), propagation("delta_sigma", 64)
    plain.train()(X, ADJACENCY)
    calibrate(calibrated, X, ADJACENCY)
    before = error_bound(plain.eval(), X, ADJACENCY)
    after = error_bound(calibrated, X, ADJACENCY)
    assert float(after.measured[-1]) < float(before.measured[-1])
