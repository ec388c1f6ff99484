"""Checks at the border; a message names the parameter, the rule and the value."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .layout import SUPPORTED_BITS, PackedLayout

MAX_ROW_ENTRIES = 1 << 23
"""Most neighbours of one row: 255 times as many still fit into 32 bits."""
MAX_IN_FEATURES = 1 << 15
"""Most inputs of a low-bit linear map: 255 * 255 times as many still fit into 32 bits."""


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


def check_is_tensor(name: str, value: object) -> None:
    """Raise ``TypeError`` if ``value`` is a list or an array of NumPy, say."""
    if not isinstance(value, Tensor):
        kind = type(value)
        raise TypeError(f"{name} must be a torch.Tensor, got {kind.__module__}.{kind.__qualname__}")


def check_tensor(name: str, tensor: Tensor, dtype: torch.dtype, dim: int) -> None:
    """Raise an error unless ``tensor`` is one of the type and the number of dimensions."""
    check_is_tensor(name, tensor)
    if tensor.dtype != dtype:
        raise ValueError(f"{name} must be {dtype}, got {tensor.dtype}")
    if tensor.dim() != dim:
        raise ValueError(f"{name} must have {dim} dimension(s), got shape {tuple(tensor.shape)}")


def check_no_gradient(name: str, tensor: Tensor) -> None:
    """Raise ``ValueError`` if a gradient would be lost."""
    if tensor.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            f"{name} must not require a gradient, which packed operations do not have: "
            "detach it, or compute under torch.no_grad()"
        )


def check_vector(name: str, tensor: Tensor, dtype: torch.dtype, size: int) -> None:
    """Raise ``ValueError`` unless ``tensor`` is a vector of the type and size."""
    check_tensor(name, tensor, dtype, 1)
    if tensor.numel() != size:
        raise ValueError(f"{name} must have {size} element(s), got {tensor.numel()}")


def check_codes(codes: Tensor, num_bits: int) -> None:
    """Raise ``ValueError`` unless ``codes`` is uint8 ``(rows, features)`` below ``2**num_bits``."""
    check_choice("num_bits", num_bits, SUPPORTED_BITS)
    check_tensor("codes", codes, torch.uint8, 2)
    if codes.shape[1] < 1:
        raise ValueError(f"codes must have at least 1 feature, got shape {tuple(codes.shape)}")
    if num_bits < 8 and codes.numel() and int(codes.max()) >= 1 << num_bits:
        raise ValueError(
            f"codes must be below {1 << num_bits} with num_bits {num_bits}, got {int(codes.max())}"
        )


def check_packed(name: str, packed: Tensor, layout: PackedLayout) -> None:
    """Raise ``ValueError`` unless ``packed`` has the bytes per row of ``layout``."""
    check_tensor(name, packed, torch.uint8, 2)
    if packed.shape[1] != layout.row_bytes:
        raise ValueError(
            f"{name} must have {layout.row_bytes} bytes per row for {layout.num_features} features "
            f"of {layout.num_bits} bits, got {packed.shape[1]}"
        )


def check_finite(values: Tensor) -> None:
    """Raise ``ValueError`` unless all floats are finite; the compiled kernels do so themselves."""
    if values.numel() and not all(map(math.isfinite, torch.aminmax(values))):
        raise not_finite()


def not_finite() -> ValueError:
    """The error of an input that cannot be quantized."""
    return ValueError("x must be finite, got NaN or infinity")


def check_csr(rowptr: Tensor, col: Tensor, *, num_columns: int) -> None:
    """Raise ``ValueError`` unless rows are well-formed and every column, int32, exists."""
    check_tensor("col", col, torch.int32, 1)
    check_rowptr(rowptr)
    check_rows(rowptr, col, num_columns=num_columns)


def check_rowptr(rowptr: Tensor) -> None:
    """Raise ``ValueError`` unless it is a vector of int64 that can bound rows."""
    check_tensor("rowptr", rowptr, torch.int64, 1)
    if rowptr.numel() < 1:
        raise ValueError("rowptr must have at least 1 element, got 0")


def check_rows(
    rowptr: Tensor, col: Tensor, *, num_columns: int, most_entries: int = MAX_ROW_ENTRIES
) -> None:
    """Raise ``ValueError`` unless rows are well-formed and every column exists."""
    counts = rowptr[1:] - rowptr[:-1]
    if int(rowptr[0]) != 0 or int(rowptr[-1]) != col.numel():
        raise ValueError(
            f"rowptr must run from 0 to the {col.numel()} entries of col, "
            f"got {int(rowptr[0])} to {int(rowptr[-1])}"
        )
    least, most = _least_and_most(counts)
    if least < 0:
        raise ValueError(f"rowptr must not decrease, got a row of {least} entries")
    if most > most_entries:
        raise ValueError(f"rowptr must give a row at most {most_entries} entries, got {most}")
    first, last = _least_and_most(col)
    if first < 0 or (col.numel() and last >= num_columns):
        raise ValueError(f"col must be in 0..{num_columns - 1}, got {first}..{last}")


def _least_and_most(values: Tensor) -> tuple[int, int]:
    """0 of none."""
    if not values.numel():
        return 0, 0
    if values.device.type == "cpu":  # NumPy: torch's threads would spin on while the kernels run
        array = values.numpy()
        return int(array.min()), int(array.max())
    least, most = torch.aminmax(values)
    return int(least), int(most)


def to_int32(name: str, values: Tensor) -> Tensor:
    """Whole numbers in 32 bits; raise ``ValueError`` where they do not fit."""
    if values.dtype == torch.int32:
        return values
    least, most = _least_and_most(values)
    if least < -(1 << 31) or most >= 1 << 31:
        raise ValueError(f"{name} must fit into 32 bits, got {least}..{most}")
    if values.device.type == "cpu":  # as above
        return torch.from_numpy(values.numpy().astype("int32"))
    return values.to(torch.int32)


def check_num_threads(num_threads: int | None, operations: int) -> int:
    """Return the number of threads to use.

    ``None`` means ``torch.get_num_threads()``, but fewer where waking one would cost more than
    its share of this many operations on codes saves.
    """
    if num_threads is None:
        return min(torch.get_num_threads(), worthwhile_threads(operations))
    if not isinstance(num_threads, int) or not 1 <= num_threads <= MAX_THREADS:
        raise ValueError(
            f"num_threads must be a whole number in 1..{MAX_THREADS}, got {num_threads!r}"
        )
    return num_threads


def worthwhile_threads(operations: int) -> int:
    """Return how many threads so many operations on codes can keep busy."""
    return max(1, operations // _OPERATIONS_OF_A_THREAD)


MAX_THREADS = 4096
_OPERATIONS_OF_A_THREAD = 1 << 19  # about 0.02 ms
