"""The whole representation is quantized and sent, in every step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.kernels.fixed_point import saturate
from qgnn_lightning.nn._fixed_point import Units, is_lean
from qgnn_lightning.nn._messages import Messages, identity_quantizers
from qgnn_lightning.nn._step import Correction, Recurrence, State, Step, mean_of, receive, totals
from qgnn_lightning.quantization import IdentityQuantizer, Quantized, Quantizer


@dataclass(frozen=True, eq=False)
class DirectState(State):
    """The representation itself.

    Args:
        z: The representation.
        read: What the quantizer is given of it: in fixed point where it can be.
    """

    z: Tensor
    read: Tensor

    def representation(self) -> Tensor:
        return self.z


class DirectMessages(Messages):
    r"""Direct message passing: :math:`q_k = \operatorname{quantize}_k(z_k)`.

    .. math:: z' = b\, D^{-1} A' q_k + e\, z_0 + a\, z_k

    The rounding error enters anew in every step and does not shrink with depth. In evaluation mode,
    with :math:`a = 0`, the quantizer is given :math:`z'` in 16-bit fixed point, as in packed
    inference.

    Args:
        quantizers: One per step, for the messages.
        change_quantizers: One per step, for the second message of a corrected step.
        aggregate_quantizers: One per step, for what a node makes of the messages.
        update_quantizers: One per step, for the representation after it.
    """

    def __init__(
        self,
        quantizers: Iterable[Quantizer],
        change_quantizers: Iterable[Quantizer] = (),
        aggregate_quantizers: Iterable[Quantizer] | None = None,
        update_quantizers: Iterable[Quantizer] | None = None,
    ) -> None:
        super().__init__(quantizers, change_quantizers)
        steps = len(self.quantizers)
        self.aggregate_quantizers = nn.ModuleList(
            aggregate_quantizers or identity_quantizers(steps)
        )
        self.update_quantizers = nn.ModuleList(update_quantizers or identity_quantizers(steps))

    @property
    def only_messages_are_rounded(self) -> bool:
        after = [*self.aggregate_quantizers, *self.update_quantizers]
        return all(isinstance(quantizer, IdentityQuantizer) for quantizer in after)

    def largest_storage_error(self, index: int) -> Tensor:
        return torch.zeros(())

    def start(self, z0: Tensor) -> DirectState:
        return DirectState(z0, z0)

    def advance(
        self,
        index: int,
        state: State,
        z0: Tensor,
        adjacency: Adjacency,
        recurrence: Recurrence,
        correction: Correction | None,
    ) -> Step:
        assert isinstance(state, DirectState)
        z = state.z
        sent: Quantized = self.quantizers[index](state.read)
        total = totals(adjacency, sent)
        units = None
        if correction is None and is_lean(recurrence, adjacency, None) and not self.training:
            units = self._units(index, total, z0, adjacency, recurrence)
        received = mean_of(total, adjacency, sent, recurrence.neighbours)
        proposed = self.aggregate_quantizers[index](received).value + recurrence.restart * z0
        if recurrence.keep:
            proposed = proposed + recurrence.keep * z
        proposal = proposal_sent = None
        if correction is not None:
            proposal = proposed - z
            proposal_sent = self.change_quantizers[index](proposal)
            proposed = proposed - correction(proposal, receive(adjacency, proposal_sent))
        updated = self.update_quantizers[index](proposed).value
        after = DirectState(updated, updated if units is None else units)
        return Step(index, state, after, z, sent, None, proposal, proposal_sent)

    def _units(
        self,
        index: int,
        total: Tensor,
        z0: Tensor,
        adjacency: Adjacency,
        recurrence: Recurrence,
    ) -> Tensor | None:
        """What the next quantizer reads, added up in its units."""
        grid, following = self.grid(index), self.grid_after(index)
        if grid is None or following is None or not self.only_messages_are_rounded:
            return None
        grids = [self.grid(step) for step in range(1, len(self.quantizers))]
        coarsest = Units(max((g for g in grids if g is not None), key=lambda g: float(g.scale)))
        later = Units(following)
        restart = later.rescaled(coarsest, coarsest.of(recurrence.restart * z0))
        arrived = later.received(Units(grid), total, recurrence.neighbours, adjacency.inv_degree)
        return later.read(saturate(restart + arrived))
