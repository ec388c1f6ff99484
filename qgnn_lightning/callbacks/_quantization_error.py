"""What the quantized messages lose, and the bounds on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from qgnn_lightning.callbacks._observer import Subject
from qgnn_lightning.callbacks._recorder import Measurement, Recorder
from qgnn_lightning.callbacks._series import Series
from qgnn_lightning.nn import PropagatingNetwork, Propagation, error_bound
from qgnn_lightning.quantization import (
    IdentityQuantizer,
    Quantizer,
    clipped_fraction,
    signal_to_noise_ratio,
)

BOUND_NAMES = ("measured", "sharp", "a_posteriori", "a_priori")


@dataclass(frozen=True, eq=False)
class MessageQuality:
    """How well the message of each step is represented.

    Args:
        clipped_fraction: Share of its elements outside the range.
        signal_to_noise_ratio: In decibel; infinite where nothing is lost.
        scale: What one code is worth.

    Shapes:
        all: ``(num_steps,)``.
    """

    clipped_fraction: Tensor
    signal_to_noise_ratio: Tensor
    scale: Tensor


@torch.no_grad()
def measure_messages(subject: Subject) -> MessageQuality:
    """Measure the message of each step against what was to be sent.

    Args:
        subject: A network with quantized messages.
    """
    rows = []
    quantizers = subject.propagation.messages.quantizers
    steps = subject.propagation.steps(subject.start, subject.adjacency)
    for quantizer, step in zip(quantizers, steps, strict=True):
        assert isinstance(quantizer, Quantizer)
        grid = quantizer.grid()
        assert grid is not None
        # A shifted code may be off by half a level and by the shift without being clipped.
        level = grid.scale * (grid.stride + 2 * abs(grid.shift))
        sent = step.sent.value
        clipped = clipped_fraction(step.message, sent, level)
        rows.append(
            torch.stack([clipped, signal_to_noise_ratio(step.message, sent), grid.scale.squeeze()])
        )
    return MessageQuality(*torch.stack(rows, dim=1))


def sends_full_precision(propagation: Propagation) -> bool:
    """Whether no message is quantized."""
    return all(isinstance(one, IdentityQuantizer) for one in propagation.messages.quantizers)


def has_bound(propagation: Propagation) -> bool:
    """Whether the error of the messages can be bounded."""
    if sends_full_precision(propagation):
        return False
    known = propagation.correction_strengths() is not None
    return known and propagation.messages.only_messages_are_rounded


class QuantizationError(Recorder):
    """Records the error of the quantized messages, the bounds on it, and its sources.

    Writes, for steps 1 to K: ``quantization_error/measured``, the Frobenius norm of the
    difference to full-precision messages, and its bounds ``/sharp``, ``/a_posteriori`` and
    ``/a_priori``; ``/relative`` and ``/relative_sharp``, the measured error and the sharp bound
    over the norm of the full-precision representation; and of each message
    ``message/clipped_fraction``, ``message/signal_to_noise_ratio`` (in decibel) and
    ``message/scale``. Error and bounds are left out where no bound is known: unrolled
    multipliers, quantized aggregates or updates, a directed graph. Nothing is written where
    messages are sent in full precision, or where the network has layers in place of a
    quantized propagation.

    Args:
        every_n_epochs: Training epochs between two measurements, at least 1.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    def __init__(self, every_n_epochs: int = 20) -> None:
        super().__init__(every_n_epochs)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        network = pl_module.network
        if not isinstance(network, PropagatingNetwork):
            rank_zero_info(
                f"QuantizationError: {type(network).__name__} has no quantized propagation, "
                "nothing is recorded"
            )
            return
        propagation = network.propagation
        if sends_full_precision(propagation):
            rank_zero_info("QuantizationError: messages are not quantized, nothing is recorded")
        elif not has_bound(propagation):
            rank_zero_info(
                f"QuantizationError: no error bound is known for {type(propagation).__name__} "
                "with these stages; only the messages themselves are recorded"
            )

    def measure(self, subject: Subject) -> Measurement:
        if not subject.has_propagation or sends_full_precision(subject.propagation):
            return Measurement()
        quality = measure_messages(subject)
        series = [
            Series.of(f"message/{name}", getattr(quality, name))
            for name in ("clipped_fraction", "signal_to_noise_ratio", "scale")
        ]
        if has_bound(subject.propagation) and subject.adjacency.symmetric:
            bound = error_bound(subject.propagation, subject.start, subject.adjacency)
            series += [
                Series.of(f"quantization_error/{name}", getattr(bound, name))
                for name in BOUND_NAMES
            ]
            series += [
                Series.of("quantization_error/relative", bound.measured / bound.norm),
                Series.of("quantization_error/relative_sharp", bound.sharp / bound.norm),
            ]
        return Measurement(tuple(series))
