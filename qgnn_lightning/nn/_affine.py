"""Affine steps with given corrections: what remains of any propagation once it is trained."""

from __future__ import annotations

from torch import Tensor

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._propagation import Propagation, StepCorrections
from qgnn_lightning.nn._step import Correction, Recurrence, Step


class FixedCorrections(StepCorrections):
    r"""Corrections :math:`c_k L (\tilde H - H_k)` of known strength; none where it is 0.

    Args:
        strengths: Factor of each step.
    """

    def __init__(self, strengths: list[float]) -> None:
        self.strengths = strengths

    def at(self, index: int) -> Correction | None:
        strength = self.strengths[index]
        if strength == 0:
            return None
        return lambda change, smoothed: strength * (change - smoothed)

    def measure(self, step: Step) -> None:
        """There is nothing to note."""


class AffinePropagation(Propagation):
    r"""Affine steps with fixed corrections.

    .. math:: H_{k+1} = \tilde H - c_k L (\tilde H - H_k), \qquad
        \tilde H = a H_k + b \hat A H_k + e X_0

    Args:
        recurrence: Coefficients of a step.
        messages: How messages are quantized; sets the number of steps.
        strengths: Factor :math:`c_k` of each step's correction, at least 0.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.

    Raises:
        ValueError: If there is not one strength per step.
    """

    def __init__(self, recurrence: Recurrence, messages: Messages, strengths: list[float]) -> None:
        super().__init__(recurrence, messages)
        if len(strengths) != self.num_steps:
            raise ValueError(
                f"strengths must have one value per step ({self.num_steps}), got {len(strengths)}"
            )
        self.strengths = strengths

    def corrections(self, x: Tensor, adjacency: Adjacency) -> StepCorrections:
        return FixedCorrections(self.strengths)

    def correction_strengths(self) -> list[float]:
        return self.strengths
