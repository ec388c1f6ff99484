"""Only the change since the last message is sent, with the rounding error fed back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.kernels.fixed_point import NARROW_FRACTION_BITS, saturate
from qgnn_lightning.nn._fixed_point import Units, is_lean
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._step import Correction, Recurrence, State, Step, mean_of, receive, totals
from qgnn_lightning.quantization import Quantized, Quantizer

#: Bits that a residual can be stored in.
RESIDUAL_BITS = (8, 16)

# What a step through fixed point rounds away, in units of the next message: half a unit each for
# the residual, its ratio of units and the message, and one for the gain's mantissa of 15 bits.
_UNITS_LOST = 2.5


@dataclass(frozen=True, eq=False)
class DeltaSigmaState(State):
    """What was sent so far, and what is still to be sent.

    Args:
        transmitted: Sum of all messages, or ``None`` before the first.
        pending: Representation minus ``transmitted``.
        read: What the quantizer is given of it: a hair more where it is in fixed point.
        change: Change of the representation in the last step, where the next step needs it.
        correction: What the last step's correction took off, or ``None``.
        forgotten: Sum of what fixed point has rounded away, or ``None``.
    """

    transmitted: Tensor | None
    pending: Tensor
    read: Tensor
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
    In evaluation mode :math:`v_{k+1}` is added up in 16-bit fixed point in units of the next
    message's scale, as packed inference does; what this rounds away is kept in the record of the
    step.

    Args:
        quantizers: One per step, for the messages.
        change_quantizers: One per step, for the second message of a corrected step.
        residual_bits: Bits of the stored residual, 8 or 16; ``None`` for floating point.

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
        if residual_bits is not None and residual_bits not in RESIDUAL_BITS:
            raise ValueError(f"residual_bits must be 8, 16 or None, got {residual_bits}")
        self.residual_bits = residual_bits

    @property
    def only_messages_are_rounded(self) -> bool:
        return True

    def largest_storage_error(self, index: int) -> Tensor:
        lost = torch.zeros(())
        grid, following = self.grid(index), self.grid_after(index)
        if self.residual_bits is None or grid is None:
            return lost
        if following is not None:
            lost = lost + _UNITS_LOST * Units(following).value
        if self.residual_bits == 8 and index > 0:
            lost = lost + grid.scale * 2.0**-NARROW_FRACTION_BITS / 2
        return lost

    def start(self, z0: Tensor) -> DeltaSigmaState:
        return DeltaSigmaState(None, z0, z0)

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
        sent: Quantized = self.quantizers[index](state.read)
        value = sent.value
        rest, start = state.pending - value, None
        total = totals(adjacency, sent)
        rounded = not self.training and self.residual_bits is not None and sent.scale is not None
        arrived = None
        if rounded and correction is None and is_lean(recurrence, adjacency, state.correction):
            arrived = self._arrived(index, total, adjacency, recurrence)
        change = mean_of(total, adjacency, sent, recurrence.neighbours)
        if index == 0:
            start = (recurrence.keep + recurrence.restart - 1) * z0
            change = change.add_(start)
        else:
            change = _with_history(change, state, recurrence)
        proposal = proposal_sent = taken_off = None
        if correction is not None:
            proposal = change
            proposal_sent = self.change_quantizers[index](proposal)
            taken_off = correction(proposal, receive(adjacency, proposal_sent))
            change = proposal - taken_off
        pending = read = rest + change
        forgotten = state.forgotten
        if rounded:
            exact = pending
            pending, read = self._through_fixed_point(index, rest, start, change, arrived)
            lost = exact - pending
            forgotten = lost if forgotten is None else forgotten + lost
        after = DeltaSigmaState(
            value if state.transmitted is None else state.transmitted + value,
            pending,
            read,
            change if recurrence.keep else None,
            taken_off,
            forgotten,
        )
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

    def _arrived(
        self, index: int, total: Tensor, adjacency: Adjacency, recurrence: Recurrence
    ) -> Tensor | None:
        """What the neighbours sent, in units of the next message."""
        grid, following = self.grid(index), self.grid_after(index)
        if grid is None or following is None:
            return None
        received = Units(following).received
        return received(Units(grid), total, recurrence.neighbours, adjacency.inv_degree)

    def _through_fixed_point(
        self, index: int, rest: Tensor, start: Tensor | None, change: Tensor, arrived: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What is pending after a step, and what the next quantizer reads of it.

        Args:
            index: Number of the step.
            rest: What was not sent.
            start: What the input adds to the first change, which ``arrived`` leaves out.
            change: Change of the representation.
            arrived: The same in units of the next message, where only messages make it up.
        """
        grid, following = self.grid(index), self.grid_after(index)
        assert grid is not None
        units = Units(grid)
        kept = None if index == 0 else units.stored(rest, self.residual_bits)
        if following is None:
            pending = (rest if kept is None else units.reals(kept)) + change
            return pending, pending
        later = Units(following)
        if kept is not None:
            carried = later.rescaled(units, kept)
        else:
            carried = later.of(rest if arrived is None or start is None else rest + start)
        if arrived is None:
            arrived = later.of(change)
        total = saturate(carried + arrived)
        return later.reals(total), later.read(total)


def _with_history(received: Tensor, state: DeltaSigmaState, recurrence: Recurrence) -> Tensor:
    change = received
    if state.change is not None:
        change = change + recurrence.keep * state.change
    if state.correction is not None:
        change = change + state.correction
    return change
