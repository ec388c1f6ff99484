"""Smoothness-aware propagation with persistent multipliers."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.constraints import Budget, Multipliers
from qgnn_lightning.graph import Adjacency, dirichlet_energy, random_walk
from qgnn_lightning.nn._affine import FixedCorrections
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._propagation import Propagation, StepCorrections, change_energy
from qgnn_lightning.nn._step import Correction, Recurrence, Step


def smoothing_recurrence(smoothing: float, step_size: float) -> Recurrence:
    r"""One gradient step on :math:`\frac12 |H - X_0|^2 + \frac\mu2 \operatorname{tr}(H^\top L H)`.

    .. math:: H - \eta\,(H - X_0 + \mu L H)
        = (1 - \eta(1 + \mu))\, H + \eta\mu\, \hat A H + \eta X_0

    Args:
        smoothing: Weight :math:`\mu` of the smoothness, at least 0.
        step_size: Step :math:`\eta`, positive and below :math:`2 / (1 + 2\mu)`, beyond which
            the steps diverge.

    Raises:
        ValueError: If an argument is out of range.
    """
    if not smoothing >= 0:
        raise ValueError(f"smoothing must be at least 0, got {smoothing}")
    largest = 2 / (1 + 2 * smoothing)
    if not 0 < step_size <= largest:
        raise ValueError(
            f"step_size must be in (0, 2 / (1 + 2 * smoothing)] = (0, {largest:.4g}], "
            f"got {step_size}"
        )
    keep = 1 - step_size * (1 + smoothing)
    # 1 - 0.1 * (1 + 9) is not 0 in floating point, but means it.
    return Recurrence(0.0 if abs(keep) < 1e-12 else keep, step_size * smoothing, step_size)


class SmoothnessAwarePropagation(Propagation):
    r"""Propagation that keeps the change of neighbour similarity per step within a budget (SMP).

    .. math::
        \tilde H &= H_k - \eta \nabla f(H_k) \\
        H_{k+1} &= \tilde H - 2 \eta \lambda_k L (\tilde H - H_k) \\
        \lambda_k &\leftarrow \operatorname{clip}(\lambda_k + \eta_\lambda g_k,\, 0,\, 1/(4\eta)),
        \qquad g_k = \operatorname{tr}(\Delta H^\top L \Delta H) / \text{budget} - 1

    The first two lines happen in the forward pass, the third in :meth:`ascend`, once per
    optimizer step: descent on embeddings and parameters, ascent on the multipliers. The violation
    is relative to the budget, so that one step size suits graphs and features of any size. Where
    a multiplier is 0, its step needs no second message.

    Source: Wang et al., CIKM 2023, with multipliers that persist over the training.

    Args:
        messages: How messages are quantized; sets the number of steps.
        smoothing: Weight :math:`\mu` of the smoothness.
        step_size: Step :math:`\eta` of the descent on the embeddings.
        budget: Limit of the energy of the change in each step.
        dual_step_size: Step :math:`\eta_\lambda` of the ascent.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.

    Raises:
        ValueError: If an argument is out of range.
    """

    violation: Tensor

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
        self.multipliers = Multipliers(self.num_steps, 1 / (4 * step_size), dual_step_size)
        self.register_buffer("violation", torch.zeros(self.num_steps), persistent=False)

    def corrections(self, x: Tensor, adjacency: Adjacency) -> StepCorrections:
        return _MeasuredCorrections(self, x, adjacency)

    def correction_strengths(self) -> list[float]:
        return [2 * self.step_size * value for value in self.multipliers.value.tolist()]

    def limit(self, x: Tensor, adjacency: Adjacency) -> Tensor | float:
        """The budget on one graph and input."""
        return self.budget.limit(
            adjacency.num_edges, lambda: dirichlet_energy(adjacency, x.detach())
        )

    def ascend(self) -> None:
        """Raise the multipliers by the violation that the last training pass measured."""
        self.multipliers.ascend(self.violation)


class _MeasuredCorrections(StepCorrections):
    """Corrections by the present multipliers; measures the violation while training."""

    def __init__(
        self, propagation: SmoothnessAwarePropagation, x: Tensor, adjacency: Adjacency
    ) -> None:
        self.fixed = FixedCorrections(propagation.correction_strengths())
        self.propagation = propagation
        self.adjacency = adjacency
        self.limit = propagation.limit(x, adjacency) if propagation.training else 1.0

    def at(self, index: int) -> Correction | None:
        return self.fixed.at(index)

    @torch.no_grad()
    def measure(self, step: Step) -> None:
        if not self.propagation.training:
            return
        change = step.change.detach()
        strength = self.fixed.strengths[step.index]
        if strength == 0:
            self.propagation.messages.observe_change(step.index, change)
        energy = self._energy(change, strength)
        self.propagation.violation[step.index] = energy / self.limit - 1

    def _energy(self, change: Tensor, strength: float) -> Tensor:
        # L is below 2 I: where even twice the norm is within the budget, a multiplier of 0 stays.
        norms: Tensor = torch.linalg.vector_norm(change, dim=1)
        upper = 2 * norms.square().dot(self.adjacency.degree)
        if strength == 0 and bool(upper <= self.limit):
            return upper
        return change_energy(self.adjacency, change, random_walk(self.adjacency, change))
