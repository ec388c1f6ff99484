"""The paper's variant: multiplier and slack evolve over the steps of every forward pass."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from qgnn_lightning.constraints import Budget, differential_multiplier_step
from qgnn_lightning.graph import Adjacency, dirichlet_energy
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._propagation import Propagation, StepCorrections, change_energy
from qgnn_lightning.nn._smoothness_aware import smoothing_recurrence
from qgnn_lightning.nn._step import Correction, Step

INITIAL_MULTIPLIER = 1e-3
INITIAL_SLACK = 1e-3
SLACK_STEP_SIZE = 1e-5


class _UnrolledPropagation(Propagation):
    """What the two variants share: everything but the correction itself."""

    def __init__(
        self,
        messages: Messages,
        smoothing: float,
        step_size: float,
        budget: Budget,
        dual_step_size: float,
    ) -> None:
        super().__init__(smoothing_recurrence(smoothing, step_size), messages)
        self.step_size = step_size
        self.budget = budget
        self.dual_step_size = dual_step_size

    def corrections(self, x: Tensor, adjacency: Adjacency) -> StepCorrections:
        return _UnrolledCorrections(self, x, adjacency)

    def correction_strengths(self) -> None:
        return None

    @abstractmethod
    def take_off(self, multiplier: Tensor, change: Tensor, smoothed: Tensor) -> Tensor:
        """What the correction takes off a step."""


class UnrolledMultiplierPropagation(_UnrolledPropagation):
    r"""Basic differential multiplier method, unrolled over the propagation steps.

    One multiplier and one slack start at 1e-3 in every forward pass. With
    :math:`h = \text{budget} - s^2 - \operatorname{tr}(\Delta^\top L \Delta)`,
    :math:`\Delta = \tilde H - H_k`, each step descends on the Lagrangian :math:`f + \lambda h`
    in the embedding and the slack, and ascends in the multiplier:

    .. math::
        H_{k+1} = \tilde H + 2 \eta \lambda L \Delta, \qquad
        s \leftarrow s + 2 \eta_s \lambda s, \qquad \lambda \leftarrow \lambda + \eta_\lambda h

    Source: Wang et al., CIKM 2023; Platt and Barr, NIPS 1987 (published 1988).

    Args:
        messages: How messages are quantized; sets the number of steps.
        smoothing: Weight :math:`\mu` of the smoothness.
        step_size: Step :math:`\eta` of the descent on the embeddings.
        budget: Limit of the energy of the change in each step.
        dual_step_size: Step :math:`\eta_\lambda` of the ascent.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.
    """

    def take_off(self, multiplier: Tensor, change: Tensor, smoothed: Tensor) -> Tensor:
        return -2 * self.step_size * multiplier * (change - smoothed)


class ReleasedCodePropagation(_UnrolledPropagation):
    r"""The unrolled variant as the authors' released code computes it, for comparison only.

    Where the gradient has :math:`L \Delta = \Delta - \hat A \Delta`, the code has
    :math:`\hat A \Delta`: the propagated part enters with the opposite sign.

    .. math:: H_{k+1} = \tilde H + 2 \eta \lambda \hat A \Delta

    Source: the public code of Wang et al., CIKM 2023. Arguments and shapes as in
    :class:`UnrolledMultiplierPropagation`.
    """

    def take_off(self, multiplier: Tensor, change: Tensor, smoothed: Tensor) -> Tensor:
        return -2 * self.step_size * multiplier * smoothed


class _UnrolledCorrections(StepCorrections):
    """Multiplier and slack of one forward pass."""

    def __init__(self, propagation: _UnrolledPropagation, x: Tensor, adjacency: Adjacency) -> None:
        self.propagation = propagation
        self.adjacency = adjacency
        self.multiplier = x.new_tensor(INITIAL_MULTIPLIER)
        self.slack = x.new_tensor(INITIAL_SLACK)
        self.limit = propagation.budget.limit(
            adjacency.num_edges, lambda: dirichlet_energy(adjacency, x.detach())
        )

    def at(self, index: int) -> Correction:
        return self._correct

    def _correct(self, change: Tensor, smoothed: Tensor) -> Tensor:
        taken_off = self.propagation.take_off(self.multiplier, change, smoothed)
        self.multiplier, self.slack = differential_multiplier_step(
            self.multiplier,
            self.slack,
            change_energy(self.adjacency, change, smoothed),
            self.limit,
            dual_step_size=self.propagation.dual_step_size,
            slack_step_size=SLACK_STEP_SIZE,
        )
        return taken_off

    def measure(self, step: Step) -> None:
        """The correction has noted everything."""
