"""The propagation for graphs whose features do not fit into memory: row blocks, mapped files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from . import ops, reference
from ._constants import RESIDUAL_LIMIT, StepCoefficients, StepConstants, start_weight
from ._graph import PackedGraph
from ._grid import Grid, GridTable
from .layout import PackedLayout
from .validation import check_choice, check_num_threads, check_tensor

#: Nodes whose floats are in memory at the same time.
ROWS_PER_BLOCK = 1 << 14


class _MappedPropagation:
    """The formula of `reference.Propagation`, block by block, with its state in mapped files."""

    def __init__(
        self,
        x0: Tensor,
        graph: PackedGraph,
        grids: Sequence[Grid],
        weights: StepCoefficients,
        delta_sigma: bool,
        residual_bits: int,
        folder: Path,
        threads: int,
    ) -> None:
        self.x0, self.graph, self.grids, self.weights = x0, graph, grids, weights
        self.delta_sigma, self.threads = delta_sigma, threads
        self.table = GridTable.from_grids(grids)
        self.constants = StepConstants.of(self.table, weights.message, residual_bits)
        self.limit = RESIDUAL_LIMIT[residual_bits]
        self.start = start_weight(weights.own, weights.restart)
        self.layout = PackedLayout(x0.shape[1], self.table.num_bits)
        # Delta-sigma sums up all that was sent at the end; direct messages are read once.
        files = len(grids) if delta_sigma else 2
        rows = x0.shape[0]
        self.codes = [
            _mapped(folder / f"codes-{number}", (rows, self.layout.row_bytes), torch.uint8)
            for number in range(min(files, len(grids)))
        ]
        if delta_sigma:
            whole = torch.int8 if residual_bits == 8 else torch.int16
            self.residual = _mapped(folder / "residual", tuple(x0.shape), whole)
        self.features = _mapped(folder / "features", tuple(x0.shape), torch.float32)

    def run(self, rows_per_block: int) -> Tensor:
        """Do all steps, and return the propagated features."""
        last = len(self.grids) - 1
        for rows in self._blocks(rows_per_block):
            self._encode(self._z0(rows), rows, 0)
        for step in range(len(self.grids)):
            for rows in self._blocks(rows_per_block):
                v = self._combine(rows, step)
                if step == last:
                    self.features[rows] = self._finish(v, rows)
                else:
                    self._send(v, rows, step + 1)
        return self.features

    def _blocks(self, size: int) -> Iterator[slice]:
        for begin in range(0, self.x0.shape[0], size):
            yield slice(begin, min(begin + size, self.x0.shape[0]))

    def _codes_of(self, step: int) -> Tensor:
        return self.codes[step % len(self.codes)]

    def _z0(self, rows: slice) -> Tensor:
        return self.graph.inv_sqrt_degree[rows, None] * self.x0[rows]

    def _encode(self, v: Tensor, rows: slice, step: int) -> None:
        grid = self.grids[step]
        arguments = (grid.num_bits, grid.scale, grid.zero_point, grid.stride, grid.shift)
        self._codes_of(step)[rows] = ops.quantize_pack(v, *arguments, self.threads, "auto")

    def _message(self, rows: slice, step: int) -> Tensor:
        graph, layout = self.graph, self.layout
        rowptr = graph.rowptr[rows.start : rows.stop + 1]
        col = graph.col[int(rowptr[0]) : int(rowptr[-1])]
        shape = (layout.num_bits, layout.num_features, self.threads, "auto")
        total = ops.neighbour_sum(self._codes_of(step), rowptr - rowptr[0], col, None, *shape)
        zero_point = int(self.table.zero_point[step])
        total.mul_(self.table.stride).sub_(zero_point * rowptr.diff().to(torch.int32)[:, None])
        gain = self.constants.gain[step] * graph.inv_degree[rows]
        result: Tensor = total.to(torch.float32).mul_(gain[:, None])
        return result

    def _value(self, rows: slice, step: int) -> Tensor:
        packed = self._codes_of(step)[rows]
        codes = reference.unpack(packed, self.layout.num_bits, self.layout.num_features)
        return reference.centre(codes, self.table, step).mul_(self.table.scale[step])

    def _combine(self, rows: slice, step: int) -> Tensor:
        message = self._message(rows, step)
        if not self.delta_sigma:
            return message.add_(self._z0(rows).mul_(self.weights.restart))
        if step > 0:
            rest = self.residual[rows].to(torch.float32).mul_(self.constants.residual_unit[step])
        else:
            z0 = self._z0(rows)
            rest = (z0 - self._value(rows, 0)).add_(z0.mul_(self.start))
        return rest.add_(message)

    def _send(self, v: Tensor, rows: slice, step: int) -> None:
        self._encode(v, rows, step)
        if self.delta_sigma:
            rest = v.sub_(self._value(rows, step)).mul_(self.constants.inv_residual_unit[step])
            self.residual[rows] = rest.round_().clamp_(-self.limit, self.limit)

    def _finish(self, v: Tensor, rows: slice) -> Tensor:
        if self.delta_sigma:
            total = self._value(rows, 0)
            for step in range(1, len(self.grids)):
                total.add_(self._value(rows, step))
            v = total.add_(v)
        return v.mul_(self.graph.sqrt_degree[rows, None])


def _mapped(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor that lives in a file, made as large as it has to be."""
    size = int(torch.Size(shape).numel())
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.from_file(str(path), shared=True, size=size, dtype=dtype).view(shape)


@torch.no_grad()
def propagate_in_blocks(
    x0: Tensor,
    graph: PackedGraph,
    grids: Sequence[Grid],
    coefficients: StepCoefficients,
    folder: Path,
    *,
    form: Literal["direct", "delta_sigma"] = "direct",
    residual_bits: int = 8,
    rows_per_block: int = ROWS_PER_BLOCK,
    num_threads: int | None = None,
) -> Tensor:
    """Propagate as `propagate` does, bit for bit, with the features and all state on the disk.

    Codes, residuals and the result are files mapped into memory, which the system writes back
    and drops where memory is short. Beyond the graph, only the floats of one block of nodes are
    held. Fastest are a disk and free memory for the codes of one step, which neighbours read in
    any order.

    Args:
        x0: float32 input, finite; may be mapped.
        graph: Neighbours and degree factors; may be mapped.
        grids: One grid per step; same ``num_bits`` and ``stride``.
        coefficients: Weights of a step, with ``own`` 0: then no other floats live between steps.
        folder: An existing folder for the files, which are overwritten. They are the caller's to
            delete: ``codes-*`` and ``residual`` when this returns, ``features`` after use.
        form: ``direct`` or ``delta_sigma``.
        residual_bits: Storage of the delta-sigma residual, 8 or 16.
        rows_per_block: Nodes in a block, at least 1.
        num_threads: Threads of the CPU backend; ``torch.get_num_threads()`` by default.

    Shapes:
        x0: ``(num_nodes, num_features)`` -> same

    Raises:
        ValueError: If an argument breaks these rules.
        NotADirectoryError: If there is no such folder.
    """
    check_choice("form", form, ("direct", "delta_sigma"))
    check_choice("residual_bits", residual_bits, (8, 16))
    check_tensor("x0", x0, torch.float32, 2)
    if x0.shape[0] != graph.num_nodes or x0.shape[1] < 1:
        raise ValueError(
            f"x0 must have {graph.num_nodes} rows and at least 1 feature, got {tuple(x0.shape)}"
        )
    if coefficients.own != 0:
        raise ValueError(f"own must be 0 to propagate in blocks, got {coefficients.own}")
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    if not folder.is_dir():
        raise NotADirectoryError(f"folder must exist, got {folder}")
    threads = check_num_threads(num_threads)
    delta_sigma = form == "delta_sigma"
    run = _MappedPropagation(
        x0, graph, grids, coefficients, delta_sigma, residual_bits, folder, threads
    )
    return run.run(rows_per_block)
