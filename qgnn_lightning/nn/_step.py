"""One propagation step: its coefficients, its correction and its record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from qgnn_lightning.graph import Adjacency, aggregate
from qgnn_lightning.quantization import Quantized


@dataclass(frozen=True)
class Recurrence:
    r"""Coefficients of an affine step, :math:`H' = a H + b \hat A H + e X_0`.

    Args:
        keep: Weight :math:`a` of the representation itself.
        neighbours: Weight :math:`b` of the propagated one.
        restart: Weight :math:`e` of the input.
    """

    keep: float
    neighbours: float
    restart: float


#: From the change of a step and its mean over the neighbours to what is taken off the step.
Correction = Callable[[Tensor, Tensor], Tensor]


class State(ABC):
    r"""What lives between two steps, in the basis :math:`z = D^{-1/2} h`."""

    @abstractmethod
    def representation(self) -> Tensor:
        """The representation of the nodes, ``(num_nodes, num_features)``."""


@dataclass(frozen=True, eq=False)
class Step:
    """Record of one step: references only, nothing is computed until asked for.

    Args:
        index: Number of the step, from 0.
        before: State at its start.
        after: State at its end.
        message: What was to be sent.
        sent: What was sent.
        forgotten: Sum of what the storage between the steps has rounded away so far, or ``None``.
        proposal: Change before the correction, where one was made.
        proposal_sent: What was sent of it.
        change_made: Change of the representation, where it is at hand.
    """

    index: int
    before: State
    after: State
    message: Tensor
    sent: Quantized
    forgotten: Tensor | None = None
    proposal: Tensor | None = None
    proposal_sent: Quantized | None = None
    change_made: Tensor | None = None

    @property
    def change(self) -> Tensor:
        """Change of the representation in this step."""
        if self.change_made is not None:
            return self.change_made
        return self.after.representation() - self.before.representation()

    @property
    def message_error(self) -> Tensor:
        """What the neighbours do not know of the representation after this step's message."""
        error = self.message - self.sent.value
        return error if self.forgotten is None else error + self.forgotten

    @property
    def proposal_error(self) -> Tensor | None:
        """What they do not know of the change, or ``None`` where there was no correction."""
        if self.proposal is None or self.proposal_sent is None:
            return None
        return self.proposal - self.proposal_sent.value


# Whole numbers are exact in float32 below 2^24, and a centred code lies in [-255, 255].
_LARGEST_EXACT_COUNT = 2**24 // 255


def totals(adjacency: Adjacency, sent: Quantized) -> Tensor:
    """Sums over the neighbours of the whole numbers they sent, exact for any degree.

    Shapes:
        sent: ``(num_nodes, num_features)`` -> same.
    """
    centred = sent.centred
    if sent.scale is not None and adjacency.max_count >= _LARGEST_EXACT_COUNT:
        return aggregate(adjacency, centred.double()).to(centred.dtype)
    return aggregate(adjacency, centred)


def receive(adjacency: Adjacency, sent: Quantized, weight: float = 1.0) -> Tensor:
    r"""Mean over the neighbours of what they sent, :math:`b\, D^{-1} A' q`.

    Shapes:
        sent: ``(num_nodes, num_features)`` -> same.
    """
    return mean_of(totals(adjacency, sent), adjacency, sent, weight)


def mean_of(total: Tensor, adjacency: Adjacency, sent: Quantized, weight: float) -> Tensor:
    """The same from the sums, which it overwrites."""
    factor = weight if sent.scale is None else sent.scale * weight
    return total.mul_(factor * adjacency.inv_degree)
