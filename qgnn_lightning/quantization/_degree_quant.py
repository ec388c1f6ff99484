"""Degree-Quant: nodes of many neighbours are often spared while training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from qgnn_lightning.quantization._functional import affine_codes
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._quantizer import Quantizer
from qgnn_lightning.quantization._running_range import RunningRange


def protection_probability(degree: Tensor, lowest: float, highest: float) -> Tensor:
    r"""Probability of each node to be protected, by the percentile of its degree.

    .. math:: p_i = p_{min} + (p_{max} - p_{min}) \cdot |\{j : d_j \le d_i\}| / N

    Source: Tailor et al., "Degree-Quant: Quantization-Aware Training for Graph Neural Networks",
    ICLR 2021, section 3.2, with the interpolation of the authors' code.

    Args:
        degree: In-degrees; self-loops, one per node, change nothing.
        lowest: Probability :math:`p_{min}`.
        highest: Probability :math:`p_{max}` of the node with the most neighbours.

    Shapes:
        degree: ``(num_nodes,)`` -> same.
    """
    sorted_degree = degree.sort().values
    rank = torch.searchsorted(sorted_degree, degree.contiguous(), right=True)
    return lowest + (highest - lowest) * rank.to(degree.dtype) / max(1, degree.numel())


def percentile_range(x: Tensor, fraction: float, *, per_channel: bool) -> tuple[Tensor, Tensor]:
    """The range without the smallest and the largest values.

    Args:
        x: The data, rows are channels.
        fraction: Share of the values to leave out at either end, rounded down to a number of
            them, in [0, 0.5).
        per_channel: Whether every row has a range of its own.

    Shapes:
        x: any -> ``()`` twice, or ``(num_channels, 1)`` twice.
    """
    rows = x if per_channel else x.reshape(1, -1)
    left_out = int(rows.shape[1] * fraction)
    low = rows.kthvalue(left_out + 1, dim=1, keepdim=True).values
    high = rows.kthvalue(rows.shape[1] - left_out, dim=1, keepdim=True).values
    return (low, high) if per_channel else (low.reshape(()), high.reshape(()))


class DegreeQuantQuantizer(Quantizer):
    """Affine grid over tracked percentiles, with a protective mask on the nodes while training.

    :func:`protect` tells it which rows are spared in the next call: they pass in full precision
    and do not count for the range. Without a mask, and always in evaluation mode, every row is
    quantized.

    Source: Tailor et al., "Degree-Quant: Quantization-Aware Training for Graph Neural Networks",
    ICLR 2021, section 3.2.

    Args:
        num_bits: Bits of a code.
        momentum: Weight of the newest range.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.
        lowest_probability: Of a node to be protected, at the bottom of the degrees.
        highest_probability: Of a node to be protected, at the top of the degrees.
        left_out: Share of the values outside the range at either end, in [0, 0.5).

    Raises:
        ValueError: If a probability or ``left_out`` is out of range.
    """

    def __init__(
        self,
        num_bits: int,
        momentum: float = 0.1,
        num_channels: int | None = None,
        lowest_probability: float = 0.0,
        highest_probability: float = 0.1,
        left_out: float = 0.001,
    ) -> None:
        super().__init__()
        if not 0 <= lowest_probability <= highest_probability <= 1:
            raise ValueError(
                "lowest_probability and highest_probability must be in [0, 1] and in this order, "
                f"got {lowest_probability} and {highest_probability}"
            )
        if not 0 <= left_out < 0.5:
            raise ValueError(f"left_out must be in [0, 0.5), got {left_out}")
        self._num_bits = num_bits
        self.range = RunningRange(momentum, num_channels)
        self.lowest_probability = lowest_probability
        self.highest_probability = highest_probability
        self.left_out = left_out
        self._protected: Tensor | None = None

    @property
    def num_bits(self) -> int:
        return self._num_bits

    def spare(self, draw: Tensor, degree: Tensor) -> None:
        """Choose the nodes that the next call in training mode spares.

        Args:
            draw: A number of each node, uniform in [0, 1).
            degree: In-degrees.

        Shapes:
            draw, degree: ``(num_nodes,)``.
        """
        low, high = self.lowest_probability, self.highest_probability
        self._protected = draw < protection_probability(degree, low, high)

    def _take_protection(self, x: Tensor) -> Tensor | None:
        protected, self._protected = self._protected, None
        if protected is not None and protected.shape[0] != x.shape[0]:
            raise ValueError(
                f"the degrees of {protected.shape[0]} nodes do not fit {x.shape[0]} rows"
            )
        return protected

    def observe(self, x: Tensor) -> None:
        if x.numel():
            per_channel = self.range.per_channel
            low, high = percentile_range(x.detach(), self.left_out, per_channel=per_channel)
            self.range.follow(low, high)

    def forward(self, x: Tensor) -> Quantized:
        protected = self._take_protection(x) if self.training else None
        if self.training:
            self.observe(x if protected is None or protected.all() else x[~protected])
        scale, zero_point = self.range.grid(self.num_bits)
        centred = affine_codes(x, scale, zero_point, self.num_bits)
        if protected is not None:
            centred = torch.where(protected[:, None], x / scale, centred)
        return Quantized(centred, scale)

    def grid(self) -> Grid:
        scale, zero_point = self.range.grid(self.num_bits)
        return Grid(self.num_bits, scale, zero_point)


def protect(quantizers: Iterable[nn.Module], degree: Tensor) -> None:
    """Draw one protective mask for the Degree-Quant quantizers in training mode among these.

    Args:
        quantizers: Those of a layer whose rows are nodes; others are passed over.
        degree: In-degrees.

    Shapes:
        degree: ``(num_nodes,)``.
    """
    sparing = [q for q in quantizers if isinstance(q, DegreeQuantQuantizer) and q.training]
    if not sparing:
        return
    draw = torch.rand_like(degree)
    for quantizer in sparing:
        quantizer.spare(draw, degree)
