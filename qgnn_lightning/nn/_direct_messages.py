"""The whole representation is quantized and sent, in every step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._messages import Messages, identity_quantizers
from qgnn_lightning.nn._step import Correction, Recurrence, State, Step, receive
from qgnn_lightning.quantization import IdentityQuantizer, Quantized, Quantizer


@dataclass(frozen=True, eq=False)
class DirectState(State):
    """The representation itself."""

    z: Tensor

    def representation(self) -> Tensor:
        return self.z


class DirectMessages(Messages):
    r"""Direct message passing: :math:`q_k = \operatorname{quantize}_k(z_k)`.

    .. math:: z' = b\, D^{-1} A' q_k + e\, z_0 + a\, z_k

    The rounding error enters anew in every step and does not shrink with depth.

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
        return DirectState(z0)

    def advance(
        self,
        index: int,
        state: State,
        z0: Tensor,
        adjacency: Adjacency,
        recurrence: Recurrence,
        correction: Correction | None,
    ) -> Step:
        z = state.representation()
        sent: Quantized = self.quantizers[index](z)
        received = receive(adjacency, sent, recurrence.neighbours)
        proposed = self.aggregate_quantizers[index](received).value + recurrence.restart * z0
        if recurrence.keep:
            proposed = proposed + recurrence.keep * z
        proposal = proposal_sent = None
        if correction is not None:
            proposal = proposed - z
            proposal_sent = self.change_quantizers[index](proposal)
            proposed = proposed - correction(proposal, receive(adjacency, proposal_sent))
        after = DirectState(self.update_quantizers[index](proposed).value)
        return Step(index, state, after, z, sent, None, proposal, proposal_sent)
