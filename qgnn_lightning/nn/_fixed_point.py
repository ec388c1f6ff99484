"""Fixed point between the messages of two steps, as packed inference computes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.kernels import fixed_point
from qgnn_lightning.nn._step import Recurrence
from qgnn_lightning.quantization import Grid


@dataclass(frozen=True, eq=False)
class Units:
    """Units of fixed point below the levels of a message.

    Args:
        grid: The levels.
    """

    grid: Grid

    @property
    def level_bits(self) -> int:
        """Bits of the levels, which truncation makes codes of."""
        return self.grid.num_bits if self.grid.stride == 1 else 8

    @property
    def value(self) -> Tensor:
        """What a unit is worth."""
        return self.grid.scale * 2.0 ** -fixed_point.fraction_bits(self.level_bits)

    @property
    def inverse(self) -> Tensor:
        """Units in one."""
        return self.grid.scale.reciprocal() * 2.0 ** fixed_point.fraction_bits(self.level_bits)

    def of(self, v: Tensor) -> Tensor:
        """Nearest whole units of real numbers."""
        return fixed_point.to_units(v, self.inverse)

    def reals(self, units: Tensor) -> Tensor:
        """The real numbers that units stand for."""
        return self.value * units

    def read(self, units: Tensor) -> Tensor:
        """What a quantizer is given of them; see :func:`fixed_point.units_read`."""
        return fixed_point.units_read(units) * self.value

    def received(self, sender: Units, total: Tensor, weight: float, inv_degree: Tensor) -> Tensor:
        """Sums of a sender's centred codes over the neighbours, as weighted means in these units.

        Shapes:
            total: ``(num_nodes, num_features)`` -> same; inv_degree: ``(num_nodes, 1)``.
        """
        gain = fixed_point.message_gain(sender.grid.scale, self.grid.scale, weight, self.level_bits)
        return fixed_point.message_units(total, gain * inv_degree.to(gain.dtype))

    def stored(self, rest: Tensor, bits: int | None) -> Tensor:
        """Units of what a message leaves, as they come back from storage of 8 or 16 bits."""
        units = self.of(rest)
        return fixed_point.narrowed(units, self.level_bits) if bits == 8 else units

    def rescaled(self, sender: Units, units: Tensor) -> Tensor:
        """A sender's units in these."""
        return fixed_point.rescale(
            units, fixed_point.unit_ratio(sender.grid.scale, self.grid.scale)
        )


def is_lean(recurrence: Recurrence, adjacency: Adjacency, correction: object) -> bool:
    """Whether a step adds nothing but sums of codes to what it carries on.

    Args:
        recurrence: Coefficients of the step.
        adjacency: The graph.
        correction: What earlier steps were corrected by, or ``None``.
    """
    return recurrence.keep == 0 and adjacency.value is None and correction is None
