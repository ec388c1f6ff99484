"""The interface of every propagation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._blocks import evaluates, in_column_blocks
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._step import Correction, Recurrence, State, Step
from qgnn_lightning.quantization import protect


class StepCorrections(ABC):
    """The corrections of one forward pass, one per step."""

    @abstractmethod
    def at(self, index: int) -> Correction | None:
        """The correction of a step, or ``None`` where there is none."""

    @abstractmethod
    def measure(self, step: Step) -> None:
        """Take note of a step that was done."""


def as_adjacency(graph: Tensor | Adjacency, x: Tensor) -> Adjacency:
    """The record of a graph, built from PyG's ``edge_index`` where it is not one already."""
    if isinstance(graph, Adjacency):
        return graph
    return Adjacency.from_edge_index(graph, x.shape[0], dtype=x.dtype)


class Propagation(nn.Module, ABC):
    r"""Spreads node features over the graph in :math:`K` affine steps with quantized messages.

    Args:
        recurrence: Coefficients of a step.
        messages: How messages are quantized; sets the number of steps.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.
    """

    def __init__(self, recurrence: Recurrence, messages: Messages) -> None:
        super().__init__()
        self.recurrence = recurrence
        self.messages = messages

    @property
    def num_steps(self) -> int:
        """Number of steps :math:`K`."""
        return len(self.messages.quantizers)

    @abstractmethod
    def corrections(self, x: Tensor, adjacency: Adjacency) -> StepCorrections:
        """The corrections of one forward pass."""

    @abstractmethod
    def correction_strengths(self) -> list[float] | None:
        r"""Factor :math:`c_k` of each step's correction, :math:`c_k L (\tilde H - H_k)`.

        ``None`` where it is known only after the steps are done.
        """

    def steps(self, x: Tensor, adjacency: Adjacency) -> Iterator[Step]:
        r"""Do the steps one by one, in the basis :math:`z = D^{-1/2} h`.

        Shapes:
            x: ``(num_nodes, num_features)``.
        """
        if self.training:
            protect(self.messages.modules(), adjacency.degree)
        corrections = self.corrections(x, adjacency)
        z0 = x * adjacency.inv_sqrt_degree
        state: State = self.messages.start(z0)
        for index in range(self.num_steps):
            step = self.messages.advance(
                index, state, z0, adjacency, self.recurrence, corrections.at(index)
            )
            corrections.measure(step)
            state = step.after
            yield step

    def forward(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        """Propagate.

        Args:
            x: Features of the nodes.
            graph: PyG's ``edge_index``, or an :class:`Adjacency` built once.
        """
        adjacency = as_adjacency(graph, x)
        if evaluates(self) and self.correction_strengths() is not None:
            return in_column_blocks(lambda block: self._propagate(block, adjacency), x)
        return self._propagate(x, adjacency)

    def _propagate(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        for step in self.steps(x, adjacency):
            state = step.after
        return state.representation() * adjacency.sqrt_degree


def change_energy(adjacency: Adjacency, change: Tensor, smoothed: Tensor) -> Tensor:
    r"""Energy of a change, :math:`\operatorname{tr}(\Delta^\top L \Delta)`, given its smoothing.

    Args:
        adjacency: The graph.
        change: Change :math:`\delta = D^{-1/2} \Delta`.
        smoothed: Its mean over the neighbours, :math:`D^{-1} A' \delta`.

    Shapes:
        change, smoothed: ``(num_nodes, num_features)`` -> ``()``.
    """
    return (adjacency.degree[:, None] * change * (change - smoothed)).sum()
