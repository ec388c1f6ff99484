"""Lagrange multipliers that persist over the training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Multipliers(nn.Module):
    r"""One multiplier per constraint, raised while its constraint is violated.

    .. math:: \lambda \leftarrow \operatorname{clip}(\lambda + \eta_\lambda g, 0, \lambda_{max})

    Projected gradient ascent on the Lagrangian :math:`f + \sum_k \lambda_k g_k`.

    Args:
        num_constraints: Number of constraints.
        upper: Largest value :math:`\lambda_{max}`, positive.
        dual_step_size: Step :math:`\eta_\lambda` of the ascent, at least 0.

    Raises:
        ValueError: If ``upper`` or ``dual_step_size`` is out of range.
    """

    value: Tensor

    def __init__(self, num_constraints: int, upper: float, dual_step_size: float) -> None:
        super().__init__()
        if not upper > 0:
            raise ValueError(f"upper must be positive, got {upper}")
        if not dual_step_size >= 0:
            raise ValueError(f"dual_step_size must be at least 0, got {dual_step_size}")
        self.upper = upper
        self.dual_step_size = dual_step_size
        self.register_buffer("value", torch.zeros(num_constraints))

    @torch.no_grad()
    def ascend(self, violation: Tensor) -> None:
        """Raise or lower the multipliers by one step.

        Args:
            violation: How far each constraint is above its limit, relative to the limit; negative
                where it holds.

        Shapes:
            violation: ``(num_constraints,)``.
        """
        step = self.dual_step_size * violation.to(self.value)
        self.value.add_(step).clamp_(0, self.upper)
