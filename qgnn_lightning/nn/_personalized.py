"""Personalised propagation (APPNP) and plain powers of the adjacency (SGC)."""

from __future__ import annotations

from torch import Tensor

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._affine import FixedCorrections
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._propagation import Propagation
from qgnn_lightning.nn._step import Recurrence


class PersonalizedPropagation(Propagation):
    r"""Propagate features with a restart to the input.

    .. math:: H_{k+1} = (1 - \alpha)\, \hat A H_k + \alpha X_0

    Source: Gasteiger et al., "Predict then Propagate", ICLR 2019.

    Args:
        messages: How messages are quantized; sets the number of steps.
        restart: Weight :math:`\alpha` of the input in every step, in (0, 1].

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.

    Raises:
        ValueError: If ``restart`` is outside (0, 1].
    """

    def __init__(self, messages: Messages, restart: float = 0.1) -> None:
        if not 0 < restart <= 1:
            raise ValueError(f"restart must be in (0, 1], got {restart}")
        super().__init__(Recurrence(0.0, 1 - restart, restart), messages)

    def corrections(self, x: Tensor, adjacency: Adjacency) -> FixedCorrections:
        return FixedCorrections(self.correction_strengths())

    def correction_strengths(self) -> list[float]:
        return [0.0] * self.num_steps


class PowerPropagation(Propagation):
    r"""Multiply by powers of the normalised adjacency: smooths without limit.

    .. math:: H_K = \hat A^K X_0

    Source: Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019.

    Args:
        messages: How messages are quantized; sets the number of steps.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.
    """

    def __init__(self, messages: Messages) -> None:
        super().__init__(Recurrence(0.0, 1.0, 0.0), messages)

    def corrections(self, x: Tensor, adjacency: Adjacency) -> FixedCorrections:
        return FixedCorrections(self.correction_strengths())

    def correction_strengths(self) -> list[float]:
        return [0.0] * self.num_steps
