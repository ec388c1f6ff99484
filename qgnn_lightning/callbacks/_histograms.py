"""Distributions of the weights and of the quantizers' scales."""

from __future__ import annotations

import re
from collections import defaultdict

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from qgnn_lightning.callbacks._observer import Observer, Subject
from qgnn_lightning.callbacks._run_log import log_step, tensorboard_writers
from qgnn_lightning.quantization import Quantizer


@torch.no_grad()
def collect_distributions(network: nn.Module) -> dict[str, Tensor]:
    """Weights and scales by name, without what is not finite or is a single number.

    Scales of the quantizers in one list, such as those of the propagation's steps, are one
    distribution.
    """
    found: dict[str, Tensor] = {
        f"weights/{name}": parameter.detach()
        for name, parameter in network.named_parameters()
        if not name.endswith(".alpha")
    }
    scales: dict[str, list[Tensor]] = defaultdict(list)
    for name, module in network.named_modules():
        scale = _scale(module)
        if scale is not None:
            scales[re.sub(r"\.\d+$", "", name)].append(scale.flatten())
    found |= {f"scales/{name}": torch.cat(parts) for name, parts in scales.items()}
    shown = {name: values[values.abs() < _LARGEST] for name, values in found.items()}
    return {name: values for name, values in shown.items() if values.numel() > 1}


#: The bins of TensorBoard end at 1e20.
_LARGEST = 1e19


def _scale(module: nn.Module) -> Tensor | None:
    if not isinstance(module, Quantizer):
        return None
    try:
        grid = module.grid()
    except RuntimeError:  # it has no range yet: its step was never needed
        return None
    return None if grid is None else grid.scale


class Histograms(Observer):
    """Sends histograms of the weights and of the quantizers' scales to TensorBoard.

    Values that are not finite, or beyond TensorBoard's bins, are left out, and so is what has
    nothing else.

    Args:
        every_n_epochs: Training epochs between two of them, at least 1.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    def __init__(self, every_n_epochs: int = 50) -> None:
        super().__init__(every_n_epochs)

    def observe(self, trainer: Trainer, subject: Subject) -> None:
        writers = tensorboard_writers(trainer)
        if not writers:
            return
        for name, values in collect_distributions(subject.network).items():
            for writer in writers:
                writer.add_histogram(name, values, log_step(trainer))
