"""The propagation for graphs whose features do not fit into memory: row blocks, mapped files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from . import backends, cpu, reference
from ._constants import RESIDUAL_LIMIT, StepCoefficients, StepConstants, start_weight
from ._graph import PackedGraph
from ._grid import Grid, GridTable
from .layout import PackedLayout
from .validation import check_choice, check_num_threads, check_tensor

#: Floats of a block: few enough for the cache, enough to make the cost of a call small.
_BLOCK_SIZE = 1 << 17


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
        self.x0, self.graph, self.grids, self.weights = x0.detach(), graph, grids, weights
        self.native = backends.resolve("auto", x0.device) == "cpu"
        self.delta_sigma, self.threads = delta_sigma, threads
        self.table = GridTable.from_grids(grids)
        self.constants = StepConstants.of(self.table, weights.message, residual_bits)
        self.limit = RESIDUAL_LIMIT[residual_bits]
        self.start = start_weight(weights.own, weights.restart)
        self.layout = PackedLayout(x0.shape[1], self.table.num_bits)
        self.reals = [_reals_of_bytes(self.table, step) for step in range(len(grids))]
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
        begins = range(0, self.x0.shape[0], rows_per_block)
        blocks = [slice(begin, min(begin + rows_per_block, self.x0.shape[0])) for begin in begins]
        with ThreadPoolExecutor(
            self.threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:

            def each(function: Callable[[slice, int], None], step: int) -> None:
                for _ in pool.map(function, blocks, [step] * len(blocks)):
                    pass

            each(self._encode_input, 0)
            for step in range(len(self.grids) - 1):
                each(self._advance, step)
            each(self._finish, len(self.grids) - 1)
        torch.set_num_threads(torch.get_num_threads())  # for threads that start after these
        return self.features

    def _codes_of(self, step: int) -> Tensor:
        return self.codes[step % len(self.codes)]

    def _z0(self, rows: slice) -> Tensor:
        return self.graph.inv_sqrt_degree[rows, None] * self.x0[rows]

    def _encode_input(self, rows: slice, step: int) -> None:
        self._encode(self._z0(rows), rows, step)

    def _encode(self, v: Tensor, rows: slice, step: int) -> None:
        grid = self.grids[step]
        packed = cpu.quantize_pack(v, grid, 1) if self.native else reference.quantize_pack(v, grid)
        self._codes_of(step)[rows] = packed

    def _sums(self, packed: Tensor, rowptr: Tensor, col: Tensor) -> Tensor:
        if self.native:
            return cpu.neighbour_sum(packed, rowptr, col, None, self.layout, 1)
        used, position = torch.unique(col, return_inverse=True)
        layout = (self.layout.num_bits, self.layout.num_features)
        return reference.neighbour_sum(packed[used], rowptr, position, *layout)

    def _message(self, rows: slice, step: int) -> Tensor:
        rowptr = self.graph.rowptr[rows.start : rows.stop + 1]
        col = self.graph.col[int(rowptr[0]) : int(rowptr[-1])]
        rowptr = rowptr - rowptr[0]
        total = self._sums(self._codes_of(step), rowptr, col).mul_(self.table.stride)
        total.sub_(int(self.table.zero_point[step]) * rowptr.diff().to(torch.int32)[:, None])
        gain = self.constants.gain[step] * self.graph.inv_degree[rows]
        return total.to(torch.float32).mul_(gain[:, None])

    def _sent(self, rows: slice, steps: range) -> Tensor:
        """Sum of the reals that the codes of some steps stand for."""
        total = self._bytes_sent(rows, steps[0])
        for step in steps[1:]:
            total.add_(self._bytes_sent(rows, step))
        lanes = total.view(-1, self.layout.row_bytes, self.layout.codes_per_byte).mT
        return lanes.reshape(-1, self.layout.capacity)[:, : self.layout.num_features]

    def _bytes_sent(self, rows: slice, step: int) -> Tensor:
        """The reals of every byte: ``(rows * row_bytes, codes_per_byte)``."""
        position = self._codes_of(step)[rows].flatten().to(torch.int32)
        return self.reals[step].index_select(0, position)

    def _combine(self, rows: slice, step: int) -> Tensor:
        message = self._message(rows, step)
        if not self.delta_sigma:
            return message.add_(self._z0(rows).mul_(self.weights.restart))
        if step > 0:
            rest = self.residual[rows].to(torch.float32).mul_(self.constants.residual_unit[step])
        else:
            z0 = self._z0(rows)
            rest = (z0 - self._sent(rows, range(1))).add_(z0.mul_(self.start))
        return rest.add_(message)

    def _advance(self, rows: slice, step: int) -> None:
        v, following = self._combine(rows, step), step + 1
        self._encode(v, rows, following)
        if self.delta_sigma:
            codes = reference.quantize(v, self.table, self.constants.inv_scale, following)
            sent = reference.centre(codes, self.table, following)
            rest = v.sub_(sent.mul_(self.table.scale[following]))
            rest.mul_(self.constants.inv_residual_unit[following])
            self.residual[rows] = rest.round_().clamp_(-self.limit, self.limit)

    def _finish(self, rows: slice, step: int) -> None:
        v = self._combine(rows, step)
        if self.delta_sigma:
            v.add_(self._sent(rows, range(step + 1)))
        self.features[rows] = v.mul_(self.graph.sqrt_degree[rows, None])


def _reals_of_bytes(table: GridTable, step: int) -> Tensor:
    """What the codes of each byte stand for, lane by lane: ``(256, codes_per_byte)``."""
    byte = torch.arange(256, dtype=torch.uint8)
    shifts = range(0, 8, table.num_bits)
    codes = torch.stack([(byte >> shift) & ((1 << table.num_bits) - 1) for shift in shifts], dim=1)
    return table.scale[step] * reference.centre(codes, table, step)


def _mapped(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor that lives in a file, made as large as it has to be."""
    size = int(torch.Size(shape).numel())
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.from_file(str(path), shared=True, size=size, dtype=dtype).view(shape)


def propagate_in_blocks(
    x0: Tensor,
    graph: PackedGraph,
    grids: Sequence[Grid],
    coefficients: StepCoefficients,
    folder: Path,
    *,
    form: Literal["direct", "delta_sigma"] = "direct",
    residual_bits: int = 8,
    rows_per_block: int | None = None,
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
        rows_per_block: Nodes in a block, at least 1; by default so many that it stays in the cache.
        num_threads: Blocks at a time; ``torch.get_num_threads()`` by default.

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
    if rows_per_block is None:
        rows_per_block = max(_BLOCK_SIZE // x0.shape[1], 1)
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
