"""How much the similarity of neighbours may change in one propagation step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor


class Budget(ABC):
    r"""Upper limit of the energy of a change, :math:`\operatorname{tr}(\Delta^\top L \Delta)`."""

    @abstractmethod
    def limit(self, num_edges: int, input_energy: Callable[[], Tensor]) -> Tensor | float:
        """The limit on one graph.

        Args:
            num_edges: Entries of the adjacency, self-loops included.
            input_energy: Computes the Dirichlet energy of the input, where it is needed.
        """


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")


class EdgeBudget(Budget):
    """A fixed amount per edge, as in the paper.

    Args:
        per_edge: Limit per edge, positive.

    Raises:
        ValueError: If ``per_edge`` is not positive.
    """

    def __init__(self, per_edge: float) -> None:
        _check_positive("per_edge", per_edge)
        self.per_edge = per_edge

    def limit(self, num_edges: int, input_energy: Callable[[], Tensor]) -> float:
        return self.per_edge * num_edges


class EnergyBudget(Budget):
    """A fraction of the Dirichlet energy of the input: independent of the features' unit.

    Args:
        fraction: Fraction of the input's energy, positive.

    Raises:
        ValueError: If ``fraction`` is not positive.
    """

    def __init__(self, fraction: float) -> None:
        _check_positive("fraction", fraction)
        self.fraction = fraction

    def limit(self, num_edges: int, input_energy: Callable[[], Tensor]) -> Tensor:
        # Where the input is smooth already, its energy is 0 and any change is too large.
        return (self.fraction * input_energy()).clamp(min=1e-30)
