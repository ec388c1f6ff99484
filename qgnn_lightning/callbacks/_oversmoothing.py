"""How smooth the representation becomes from step to step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qgnn_lightning.callbacks._observer import Subject
from qgnn_lightning.callbacks._recorder import Measurement, Recorder
from qgnn_lightning.callbacks._series import Series
from qgnn_lightning.graph import dirichlet_energy, mean_average_distance


@dataclass(frozen=True, eq=False)
class Smoothness:
    """Measures of smoothness of the input and after each step or layer.

    Args:
        symmetric: Dirichlet energy that the propagation lowers.
        mean_square: Dirichlet energy without the degrees, per node.
        mean_average_distance: Mean cosine distance between neighbours.

    Shapes:
        all: ``(num_steps + 1,)``.
    """

    symmetric: Tensor
    mean_square: Tensor
    mean_average_distance: Tensor


@torch.no_grad()
def measure_smoothness(subject: Subject) -> Smoothness:
    """Measure the input and the representation after each step or layer."""
    adjacency = subject.adjacency
    rows = [
        torch.stack(
            [
                dirichlet_energy(adjacency, h),
                dirichlet_energy(adjacency, h, "mean_square"),
                mean_average_distance(adjacency, h),
            ]
        )
        for h in subject.network.representations(subject.batch.x, adjacency)
    ]
    return Smoothness(*torch.stack(rows, dim=1))


class Oversmoothing(Recorder):
    """Records how smooth the representation is before the propagation and after each step.

    Of networks made of graph convolutions, the layers are the steps.

    Writes, for steps 0 (the input) to K, ``dirichlet_energy/symmetric``,
    ``dirichlet_energy/mean_square`` and ``mean_average_distance``. Numbers that fall to 0 mean
    that neighbours can no longer be told apart. On a directed graph, where the energies are not
    defined, only the distance is written.

    Args:
        every_n_epochs: Training epochs between two measurements, at least 1.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    def __init__(self, every_n_epochs: int = 20) -> None:
        super().__init__(every_n_epochs)

    def measure(self, subject: Subject) -> Measurement:
        found = measure_smoothness(subject)
        series = [Series.of("mean_average_distance", found.mean_average_distance, first=0)]
        if subject.adjacency.symmetric:
            series += [
                Series.of("dirichlet_energy/symmetric", found.symmetric, first=0),
                Series.of("dirichlet_energy/mean_square", found.mean_square, first=0),
            ]
        return Measurement(tuple(series))
