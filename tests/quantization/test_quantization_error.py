"""Measures of what a quantization loses, against their definition."""

from __future__ import annotations

import math

import torch

from qgnn_lightning.quantization import clipped_fraction, signal_to_noise_ratio


def test_clipped_fraction_counts_what_lies_outside_the_grid():
    x = torch.tensor([-0.6, -0.5, 0.0, 0.5, 1.0, 1.5, 1.51, 7.0])
    quantized = x.clamp(0, 1).round()
    assert clipped_fraction(x, quantized, torch.tensor(1.0)) == 3 / 8


def test_nothing_is_clipped_in_an_empty_tensor():
    assert clipped_fraction(torch.zeros(0), torch.zeros(0), torch.tensor(1.0)) == 0


def test_signal_to_noise_ratio_in_decibel():
    x = torch.tensor([3.0, 4.0])
    ratio = signal_to_noise_ratio(x, torch.tensor([3.0, 3.5]))
    assert math.isclose(ratio.item(), 10 * math.log10(25 / 0.25), rel_tol=1e-6)
    assert signal_to_noise_ratio(x, x) == math.inf
