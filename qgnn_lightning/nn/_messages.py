"""How nodes tell their neighbours about themselves: the interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._step import Correction, Recurrence, State, Step
from qgnn_lightning.quantization import Grid, IdentityQuantizer, Quantizer


class Messages(nn.Module, ABC):
    r"""One propagation step with quantized messages.

    Everything happens in the basis :math:`z = D^{-1/2} h`, where
    :math:`\hat A h` becomes the mean over the neighbours: messages are sums of codes without
    any weight.

    Args:
        quantizers: One per step, for the messages.
        change_quantizers: One per step, for the second message of a corrected step; empty where
            there are no corrections.
    """

    def __init__(
        self, quantizers: Iterable[Quantizer], change_quantizers: Iterable[Quantizer] = ()
    ) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList(quantizers)
        self.change_quantizers = nn.ModuleList(change_quantizers)

    @abstractmethod
    def start(self, z0: Tensor) -> State:
        """State before the first step."""

    @abstractmethod
    def advance(
        self,
        index: int,
        state: State,
        z0: Tensor,
        adjacency: Adjacency,
        recurrence: Recurrence,
        correction: Correction | None,
    ) -> Step:
        """Do one step."""

    @property
    @abstractmethod
    def only_messages_are_rounded(self) -> bool:
        """Whether no other stage of a step is quantized."""

    @abstractmethod
    def largest_storage_error(self, index: int) -> Tensor:
        """Upper limit of what storage rounds away after a step."""

    def half_step(self, index: int) -> Tensor:
        """Largest rounding error of a step's message that is not clipped."""
        return _half_step(self.grid(index))

    def half_step_of_change(self, index: int) -> Tensor:
        """Largest rounding error of a step's second message that is not clipped."""
        quantizer = self.change_quantizers[index]
        assert isinstance(quantizer, Quantizer)
        return _half_step(quantizer.grid())

    def grid(self, index: int) -> Grid | None:
        """Levels of a step's message, or ``None`` where it is not rounded."""
        quantizer = self.quantizers[index]
        assert isinstance(quantizer, Quantizer)
        return quantizer.grid()

    def grid_after(self, index: int) -> Grid | None:
        """Levels of the next step's message, or ``None`` after the last."""
        return None if index + 1 == len(self.quantizers) else self.grid(index + 1)

    def observe_change(self, index: int, change: Tensor) -> None:
        """Track the range of the change while no correction needs it yet."""
        if self.change_quantizers:
            quantizer = self.change_quantizers[index]
            assert isinstance(quantizer, Quantizer)
            quantizer.observe(change.detach())


def _half_step(grid: Grid | None) -> Tensor:
    return torch.zeros(()) if grid is None else grid.scale * grid.stride / 2


def identity_quantizers(num_steps: int) -> list[Quantizer]:
    """Full precision in every step."""
    return [IdentityQuantizer() for _ in range(num_steps)]
