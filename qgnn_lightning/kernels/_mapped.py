"""The propagation of graphs whose features and state do not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from . import backends, cpu
from ._constants import StepCoefficients
from ._graph import PackedGraph
from ._grid import Grid, GridTable
from .api import Form, check_form, check_input, count_operations
from .validation import check_num_threads


def propagate_mapped(
    x0: Tensor,
    graph: PackedGraph,
    grids: Sequence[Grid],
    coefficients: StepCoefficients,
    folder: Path,
    *,
    form: Form = "direct",
    residual_bits: int = 16,
    num_threads: int | None = None,
) -> Tensor:
    """Propagate as `propagate` does, bit for bit, with the result and all state in mapped files.

    The rows are worked through in blocks from the first to the last, so that codes, residuals,
    input and result pass through memory as streams, which the system reads, writes back and drops
    as it needs room. Only the codes of the neighbours, of one step, are read in any order: memory
    for these, at ``row_bytes`` a node, and for the graph keeps the disk out of the way.

    Args:
        x0: float32 input, finite; may itself be mapped.
        graph: Neighbours and degree factors; may be mapped.
        grids: One grid per step; same ``num_bits`` and ``stride``.
        coefficients: Weights of a step.
        folder: An existing folder for the files ``features`` and ``state``, which are overwritten.
            They are the caller's to delete: ``state`` when this returns, ``features`` after use.
        form: ``direct`` or ``delta_sigma``.
        residual_bits: Storage of the delta-sigma residual, 8 or 16.
        num_threads: Threads; by default ``torch.get_num_threads()``, fewer for little work.

    Shapes:
        x0: ``(num_nodes, num_features)`` -> same

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If an argument breaks these rules.
        NotADirectoryError: If there is no such folder.
        OSError: If there is no room for the files.
        BackendUnavailableError: If the kernels were not compiled, or ``x0`` is not on the CPU.
    """
    check_form(form, residual_bits)
    check_input(x0, graph)
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"folder must exist, got {folder}")
    backends.resolve("cpu", x0.device)
    call = cpu.PropagationCall(
        cpu.Graph(graph.tensors()),
        GridTable.from_grids(grids),
        coefficients,
        form == "delta_sigma",
        residual_bits,
    )
    return call(
        x0.detach(),
        check_num_threads(num_threads, count_operations(graph, x0.shape[1], len(grids))),
        out=_mapped(folder / "features", x0.numel(), torch.float32).view(x0.shape),
        workspace=lambda num_bytes: _mapped(folder / "state", num_bytes, torch.uint8),
    )


def _reserve(path: Path, num_bytes: int) -> None:
    """Make a file for which there is room: else a write into its memory would end the process."""
    with path.open("wb") as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
        except OSError as error:
            path.unlink()
            message = f"there is no room for {num_bytes:,} bytes ({error.strerror})"
            raise OSError(error.errno, message, str(path)) from error


def _mapped(path: Path, size: int, dtype: torch.dtype) -> Tensor:
    """A tensor that lives in a new file, made as large as it has to be."""
    path.unlink(missing_ok=True)
    if size == 0:
        return torch.empty(0, dtype=dtype)
    _reserve(path, size * dtype.itemsize)
    return torch.from_file(str(path), shared=True, size=size, dtype=dtype)
