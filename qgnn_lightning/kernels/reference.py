"""What every operation computes, in torch alone. The other backends are optimisations of this.

Each float32 operation is rounded on its own, in the order written here; sums of codes are exact.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from . import fixed_point
from ._constants import StepCoefficients, StepConstants, start_weight
from ._graph import GraphTensors
from ._grid import Grid, GridTable
from .layout import PackedLayout

_EXACT_FLOAT32 = 1 << 24
_ROWS_AT_ONCE = 1 << 16


def pack(codes: Tensor, num_bits: int) -> Tensor:
    """Pack uint8 codes ``(rows, features)`` into bytes ``(rows, row_bytes)``."""
    layout = PackedLayout(codes.shape[1], num_bits)
    padded = functional.pad(codes, (0, layout.capacity - codes.shape[1]))
    lanes = padded.view(codes.shape[0], layout.codes_per_byte, layout.row_bytes)
    packed = torch.zeros_like(lanes[:, 0])
    for lane in range(layout.codes_per_byte):
        packed |= lanes[:, lane] << (num_bits * lane)
    return packed


def unpack(packed: Tensor, num_bits: int, num_features: int) -> Tensor:
    """Return the uint8 codes ``(rows, features)`` of packed bytes."""
    layout = PackedLayout(num_features, num_bits)
    lanes = [
        (packed >> (num_bits * lane)) & layout.max_code for lane in range(layout.codes_per_byte)
    ]
    return torch.cat(lanes, dim=1)[:, :num_features].contiguous()


def sum_codes(codes: Tensor, rowptr: Tensor, col: Tensor) -> Tensor:
    """Return the exact int32 sums over neighbours of uint8 codes ``(nodes, features)``."""
    counts = rowptr[1:] - rowptr[:-1]
    largest = int(counts.max()) * 255 if counts.numel() else 0
    exact = torch.float32 if largest < _EXACT_FLOAT32 else torch.float64
    if col.numel() == 0:
        return codes.new_zeros((counts.numel(), codes.shape[1]), dtype=torch.int32)
    sums = functional.embedding_bag(
        col.long(), codes.to(exact), rowptr, mode="sum", include_last_offset=True
    )
    return sums.to(torch.int32)


def neighbour_sum(
    packed: Tensor, rowptr: Tensor, col: Tensor, num_bits: int, num_features: int
) -> Tensor:
    """Return ``sum_j q_j`` over the neighbours of every row, int32, exact."""
    return sum_codes(unpack(packed, num_bits, num_features), rowptr, col)


def weighted_neighbour_sum(
    packed: Tensor, rowptr: Tensor, col: Tensor, weight: Tensor, num_bits: int, num_features: int
) -> Tensor:
    """Return ``sum_e w_e q_col(e)`` in the order of the entries, product and sum rounded apart."""
    codes = unpack(packed, num_bits, num_features)
    counts = rowptr[1:] - rowptr[:-1]
    rows = torch.repeat_interleave(torch.arange(counts.numel(), device=col.device), counts)
    sums = torch.zeros(counts.numel(), num_features, device=col.device)
    for part in range(0, col.numel(), _ROWS_AT_ONCE):
        entries = slice(part, part + _ROWS_AT_ONCE)
        terms = weight[entries, None] * codes[col[entries]].to(torch.float32)
        sums.index_add_(0, rows[entries], terms)
    return sums


def quantize(v: Tensor, table: GridTable, inv_scale: Tensor | float, step: int) -> Tensor:
    """Return the uint8 codes of ``v`` on the grid of a step."""
    zero_point = int(table.zero_point[step])
    top = (1 << table.level_bits) - 1
    level = (v * inv_scale).round().clamp(-zero_point, top - zero_point).to(torch.int32)
    level = level + zero_point
    if table.truncated:
        level = ((level + int(table.shift[step])).clamp(0, 255) + 42) // table.stride
    return level.to(torch.uint8)


def quantize_pack(x: Tensor, grid: Grid) -> Tensor:
    """Return the packed codes of ``x`` on a grid."""
    table = GridTable.from_grids([grid])
    return pack(quantize(x, table, 1.0 / table.scale[0], 0), grid.num_bits)


def centre(codes: Tensor, table: GridTable, step: int) -> Tensor:
    """Return the centred codes ``m q - z`` as float32."""
    centred = codes.to(torch.int32) * table.stride - table.zero_point[step].item()
    return centred.to(torch.float32)


def linear_totals(codes: Tensor, grid: Grid, weight: Tensor) -> Tensor:
    """Return the exact int32 products of centred codes ``(rows, in)`` and weights ``(out, in)``."""
    centred = codes.to(torch.int32) * grid.stride - grid.zero_point
    largest = int(weight.abs().max()) if weight.numel() else 0
    exact = torch.float32 if 255 * largest * codes.shape[1] < _EXACT_FLOAT32 else torch.float64
    return (centred.to(exact) @ weight.to(exact).t()).to(torch.int32)


def sparse_linear_totals(
    rowptr: Tensor, col: Tensor, value: Tensor, grid: Grid, weight: Tensor
) -> Tensor:
    """Return the same products for sparse rows of floats and weights ``(in, out)``."""
    if col.numel() == 0:
        return weight.new_zeros((rowptr.numel() - 1, weight.shape[1]), dtype=torch.int32)
    table = GridTable.from_grids([grid])
    centred = centre(quantize(value, table, 1.0 / table.scale[0], 0), table, 0)
    totals = functional.embedding_bag(
        col.long(),
        weight.to(torch.float64),
        rowptr,
        mode="sum",
        per_sample_weights=centred.to(torch.float64),
        include_last_offset=True,
    )
    return totals.to(torch.int32)


def linear_epilogue(
    totals: Tensor, factor: Tensor, bias: Tensor | None, relu: bool, out_grid: Grid | None
) -> Tensor:
    """Return ``float(totals) * factor + bias``, rectified and packed if asked for."""
    y = totals.to(torch.float32) * factor
    if bias is not None:
        y = y + bias
    if relu:
        y = y.clamp(min=0.0)
    if out_grid is None:
        return y
    return quantize_pack(y, out_grid)


Encode = Callable[[Tensor, Tensor | float, int], Tensor]
"""Values, the inverse of what a level is worth, and the step to packed codes."""
Sums = Callable[[Tensor], Tensor]
"""Packed codes to the int32 sums over neighbours."""


class Propagation:
    """The steps of a propagation, given how to encode and how to sum packed codes.

    Args:
        x0: float32 ``(num_nodes, num_features)``.
        graph: Neighbours and degree factors.
        table: Grids of the steps.
        weights: Weights of a step.
        residual_bits: Storage of the delta-sigma residual.
        encode: Quantizes on the grid of a step and packs; the reference by default.
        sums: Sums packed codes over neighbours; the reference by default.
    """

    def __init__(
        self,
        x0: Tensor,
        graph: GraphTensors,
        table: GridTable,
        weights: StepCoefficients,
        residual_bits: int,
        encode: Encode | None = None,
        sums: Sums | None = None,
    ) -> None:
        self.graph, self.table, self.weights = graph, table, weights
        self.layout = PackedLayout(x0.shape[1], table.num_bits)
        self.constants = StepConstants.of(table, weights.message)
        self.z0 = graph.inv_sqrt_degree[:, None] * x0
        self.residual_bits = residual_bits
        self.encode = encode or self._encode
        self.sums = sums or self._sums
        self.trace: list[Tensor] = []

    def _encode(self, v: Tensor, inverse: Tensor | float, step: int) -> Tensor:
        return pack(quantize(v, self.table, inverse, step), self.layout.num_bits)

    def _sums(self, packed: Tensor) -> Tensor:
        codes = unpack(packed, self.layout.num_bits, self.layout.num_features)
        return sum_codes(codes, self.graph.rowptr, self.graph.col)

    def send(self, v: Tensor, step: int) -> None:
        """Encode real numbers."""
        self.trace.append(self.encode(v, self.constants.inv_scale[step], step))

    def send_units(self, units: Tensor, step: int) -> None:
        """Encode fixed-point numbers."""
        inverse = 2.0 ** -fixed_point.fraction_bits(self.table.level_bits)
        self.trace.append(self.encode(fixed_point.units_read(units), inverse, step))

    def total(self, step: int) -> Tensor:
        """Return the exact sums over the neighbours of the centred codes of a step."""
        counts = self.graph.rowptr.diff().to(torch.int32)[:, None]
        sums = self.sums(self.trace[step]) * self.table.stride
        return sums - self.table.zero_point[step].item() * counts

    def message(self, step: int) -> Tensor:
        """Return ``b D^-1 A' (s c)``."""
        gain = self.constants.gain[step] * self.graph.inv_degree
        return gain[:, None] * self.total(step).to(torch.float32)

    def message_units(self, step: int) -> Tensor:
        """Return the same in units of the next step."""
        gain = self.constants.message_gain[step] * self.graph.inv_degree
        return fixed_point.message_units(self.total(step), gain[:, None])

    def value(self, step: int) -> Tensor:
        """Return the reals that the codes of a step stand for."""
        return self.table.scale[step] * self.centred(step)

    def centred(self, step: int) -> Tensor:
        """Return the centred codes of a step."""
        codes = unpack(self.trace[step], self.layout.num_bits, self.layout.num_features)
        return centre(codes, self.table, step)

    def residual(self, units: Tensor, step: int) -> Tensor:
        """Return what the codes of a step leave, as it comes back from storage."""
        code = float(1 << fixed_point.fraction_bits(self.table.level_bits))
        rest = fixed_point.saturate(units - self.centred(step) * code)
        if self.residual_bits == 8:
            return fixed_point.narrowed(rest, self.table.level_bits)
        return rest

    def direct(self) -> Tensor:
        """Return ``z_K`` of the direct form."""
        own, constants, last = self.weights.own, self.constants, self.table.num_steps - 1
        restart = self.weights.restart * self.z0
        carried = fixed_point.to_units(restart, constants.inv_restart_unit)
        z = self.z0
        self.send(z, 0)
        for step in range(last):
            if own != 0:
                z = (self.message(step) + restart) + own * z
                self.send(z, step + 1)
            else:
                rescaled = fixed_point.rescale(carried, constants.restart_ratio[step])
                units = fixed_point.saturate(rescaled + self.message_units(step))
                self.send_units(units, step + 1)
        following = self.message(last) + restart
        return following + own * z if own != 0 else following

    def delta_sigma(self) -> Tensor:
        """Return ``z_K`` of the delta-sigma form."""
        own, constants, last = self.weights.own, self.constants, self.table.num_steps - 1
        start = start_weight(own, self.weights.restart) * self.z0
        change = units = torch.zeros_like(self.z0)
        self.send(self.z0, 0)
        rest = self.z0 - self.value(0)
        for step in range(last):
            inv_unit = constants.inv_unit[step + 1]
            if step == 0:
                carried = fixed_point.to_units(rest if own != 0 else rest + start, inv_unit)
            else:
                carried = fixed_point.rescale(self.residual(units, step), constants.ratio[step])
            if own != 0:
                change = self.message(step) + (own * change if step > 0 else start)
                arrived = fixed_point.to_units(change, inv_unit)
            else:
                arrived = self.message_units(step)
            units = fixed_point.saturate(carried + arrived)
            self.send_units(units, step + 1)
        change = self.message(last) + (own * change if last > 0 else start)
        if last > 0:
            rest = constants.unit[last] * self.residual(units, last)
        total = self.value(0)
        for step in range(1, self.table.num_steps):
            total = total + self.value(step)
        return total + (rest + change)

    def run(self, delta_sigma: bool, with_codes: bool) -> tuple[Tensor, Tensor]:
        """Return the propagated features and, if asked for, the packed codes of every step."""
        z = self.delta_sigma() if delta_sigma else self.direct()
        shape = (0, z.shape[0], self.layout.row_bytes)
        codes = torch.zeros(shape, dtype=torch.uint8, device=z.device)
        if with_codes:
            codes = torch.stack(self.trace)
        return z * self.graph.sqrt_degree[:, None], codes


def propagate(
    x0: Tensor,
    graph: GraphTensors,
    table: GridTable,
    weights: StepCoefficients,
    delta_sigma: bool,
    residual_bits: int,
    with_codes: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the propagated features and, if asked for, the packed codes of every step."""
    return Propagation(x0, graph, table, weights, residual_bits).run(delta_sigma, with_codes)
