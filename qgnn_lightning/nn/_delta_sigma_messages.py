"""Only the change since the last message is sent, with the rounding error fed back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._step import Correction, Recurrence, State, Step, receive
from qgnn_lightning.quantization import Quantized, Quantizer

#: Bits of the stored residual -> (fractional bits below the message's scale, largest code).
RESIDUAL_FORMATS = {8: (5, 127), 16: (10, 32767)}


@dataclass(frozen=True, eq=False)
class DeltaSigmaState(State):
    """What was sent so far, and what is still to be sent.

    Args:
        transmitted: Sum of all messages, or ``None`` before the first.
        pending: Representation minus ``transmitted``.
        change: Change of the representation in the last step, where the next step needs it.
        correction: What the last step's correction took off, or ``None``.
        forgotten: Sum of the residuals' storage errors, or ``None``.
    """

    transmitted: Tensor | None
    pending: Tensor
    change: Tensor | None = None
    correction: Tensor | None = None
    forgotten: Tensor | None = None

    def representation(self) -> Tensor:
        return self.pending if self.transmitted is None else self.transmitted + self.pending


class DeltaSigmaMessages(Messages):
    r"""Delta-sigma message passing, in the form that keeps only the bounded residual.

    With :math:`v_k` the part of the representation that the neighbours do not know yet,
    :math:`q_k = \operatorname{quantize}_k(v_k)` and :math:`r_k = v_k - q_k`:

    .. math::
        \delta_{k+1} = a\,\delta_k + b\,D^{-1} A' q_k, \qquad
        \delta_1 = (a + e - 1)\, z_0 + b\,D^{-1} A' q_0, \qquad
        v_{k+1} = r_k + \delta_{k+1}

    and :math:`z_K = \sum_k q_k + v_K`. The neighbours' knowledge differs from the truth by the
    last residual only, so the error shrinks with the ranges of the changes.
    In evaluation mode the residual is stored as a fixed-point number in units of the message's
    scale, as packed inference does; what this loses is kept in the record of the step.

    Args:
        quantizers: One per step, for the messages.
        change_quantizers: One per step, for the second message of a corrected step.
        residual_bits: Bits of the stored residual, 8 or 16; ``None`` stores it as it is.

    Raises:
        ValueError: If ``residual_bits`` is something else.
    """

    def __init__(
        self,
        quantizers: Iterable[Quantizer],
        change_quantizers: Iterable[Quantizer] = (),
        residual_bits: Literal[8, 16] | None = 16,
    ) -> None:
        super().__init__(quantizers, change_quantizers)
        if residual_bits is not None and residual_bits not in RESIDUAL_FORMATS:
            raise ValueError(f"residual_bits must be 8, 16 or None, got {residual_bits}")
        self.residual_bits = residual_bits

    @property
    def only_messages_are_rounded(self) -> bool:
        return True

    def largest_storage_error(self, index: int) -> Tensor:
        if index == 0 or self.residual_bits is None:
            return torch.zeros(())
        fraction_bits, _ = RESIDUAL_FORMATS[self.residual_bits]
        quantizer = self.quantizers[index]
        assert isinstance(quantizer, Quantizer)
        grid = quantizer.grid()
        return torch.zeros(()) if grid is None else grid.scale * 2.0**-fraction_bits / 2

    def start(self, z0: Tensor) -> DeltaSigmaState:
        return DeltaSigmaState(None, z0)

    def advance(
        self,
        index: int,
        state: State,
        z0: Tensor,
        adjacency: Adjacency,
        recurrence: Recurrence,
        correction: Correction | None,
    ) -> Step:
        assert isinstance(state, DeltaSigmaState)
        sent: Quantized = self.quantizers[index](state.pending)
        value = sent.value
        residual, forgotten = state.pending - value, state.forgotten
        change = receive(adjacency, sent, recurrence.neighbours)
        if index == 0:
            restart = (recurrence.keep + recurrence.restart - 1) * z0
            pending = residual.add_(restart).add_(change)
            change = change.add_(restart)
        else:
            residual, forgotten = self._store(residual, sent, forgotten)
            change = _with_history(change, state, recurrence)
            pending = residual.add_(change)
        proposal = proposal_sent = taken_off = None
        if correction is not None:
            proposal = change
            proposal_sent = self.change_quantizers[index](proposal)
            taken_off = correction(proposal, receive(adjacency, proposal_sent))
            pending, change = pending - taken_off, proposal - taken_off
        transmitted = value if state.transmitted is None else state.transmitted + value
        kept_change = change if recurrence.keep else None
        after = DeltaSigmaState(transmitted, pending, kept_change, taken_off, forgotten)
        return Step(
            index,
            state,
            after,
            state.pending,
            sent,
            state.forgotten,
            proposal,
            proposal_sent,
            change,
        )

    def _store(
        self, residual: Tensor, sent: Quantized, forgotten: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The residual as it comes back from storage, and all that storage has lost so far."""
        if self.training or self.residual_bits is None or sent.scale is None:
            return residual, forgotten
        fraction_bits, largest = RESIDUAL_FORMATS[self.residual_bits]
        unit = sent.scale * 2.0**-fraction_bits
        inverse = sent.scale.reciprocal() * 2.0**fraction_bits
        stored = (residual * inverse).round_().clamp_(-largest, largest) * unit
        lost = residual - stored
        return stored, lost if forgotten is None else forgotten + lost


def _with_history(received: Tensor, state: DeltaSigmaState, recurrence: Recurrence) -> Tensor:
    change = received
    if state.change is not None:
        change = change + recurrence.keep * state.change
    if state.correction is not None:
        change = change + state.correction
    return change
