"""How much each step changes the similarity of neighbours, and what it may."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.callbacks._observer import Subject
from qgnn_lightning.callbacks._recorder import Measurement, Recorder
from qgnn_lightning.callbacks._series import Series
from qgnn_lightning.graph import dirichlet_energy
from qgnn_lightning.nn import SmoothnessAwarePropagation


@torch.no_grad()
def measure_change_energy(subject: Subject) -> Tensor:
    r"""Energy of the change :math:`\operatorname{tr}(\Delta H^\top L \Delta H)` of each step.

    Shapes:
        returns: ``(num_steps,)``.
    """
    adjacency = subject.adjacency
    energies = []
    for step in subject.propagation.steps(subject.start, adjacency):
        # Not step.change, which leaves out the rounding of stored residuals.
        change = step.after.representation() - step.before.representation()
        energies.append(dirichlet_energy(adjacency, change * adjacency.sqrt_degree))
    return torch.stack(energies)


class ConstraintMonitor(Recorder):
    """Records the constraint on the change of neighbour similarity.

    Writes, for steps 1 to K, ``constraint/energy_of_change``; for a smoothness-aware
    propagation also ``constraint/violation`` (that energy minus the budget, measured in
    evaluation mode; negative where the constraint holds), ``constraint/multiplier``, and the
    single number ``constraint/budget``. Nothing is written where the network has layers in
    place of a quantized propagation.

    Args:
        every_n_epochs: Training epochs between two measurements, at least 1.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    def __init__(self, every_n_epochs: int = 20) -> None:
        super().__init__(every_n_epochs)

    def measure(self, subject: Subject) -> Measurement:
        if not subject.has_propagation:
            return Measurement()
        energy = measure_change_energy(subject)
        series = [Series.of("constraint/energy_of_change", energy)]
        scalars = {}
        propagation = subject.propagation
        if isinstance(propagation, SmoothnessAwarePropagation):
            budget = propagation.limit(subject.start, subject.adjacency)
            scalars["constraint/budget"] = float(budget)
            series += [
                Series.of("constraint/violation", energy / budget - 1),
                Series.of("constraint/multiplier", propagation.multipliers.value),
            ]
        return Measurement(tuple(series), scalars)
