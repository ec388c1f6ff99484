"""Plain numpy arrays and sparse matrices from files; Python objects are refused."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._features import csr
from qgnn_lightning.data._sources._unreadable import unreadable
from qgnn_lightning.data._validation import GraphDataError

#: What numpy and scipy raise on files that are cut off, forged, or hold Python objects.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    MemoryError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    Warning,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_LARGEST_CHARACTER = 0x10FFFF
_SPARSE_FORMATS = ("csr", "csc", "coo")


@contextmanager
def refusing(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever is wrong with a file into one kind of error.

    Args:
        path: The file.
        kind: What it must be.

    Raises:
        GraphDataError: If it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy repairs some headers, and only warns
            yield
    except _UNREADABLE as error:
        raise unreadable(path, kind, error) from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say in which file a fault is.

    Args:
        path: The file.
    """
    try:
        yield
    except GraphDataError as error:
        raise GraphDataError(f"{path}: {error}") from error


def read_npy(path: Path) -> np.ndarray[Any, Any]:
    """Read one array.

    Mapped before it is copied, so that a header which promises more than the file holds is
    refused without taking that much memory.

    Args:
        path: A file written by ``numpy.save``.

    Raises:
        GraphDataError: If the file holds Python objects or is not one whole array.
    """
    with refusing(path, "a numpy .npy file of numbers or texts"):
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.ndarray):
            mapped.close()
            raise ValueError("it holds several arrays")
        array = np.array(mapped, dtype=mapped.dtype.newbyteorder("="))
        if array.dtype.kind == "U" and array.nbytes:
            codes = array.reshape(-1).view(np.uint32)
            if codes.max() > _LARGEST_CHARACTER:
                raise ValueError("a text holds a character that does not exist")
        return array


def read_integers(path: Path, shape: str, num_dims: int) -> Tensor:
    """Read an array of whole numbers.

    Args:
        path: The file.
        shape: The expected shape, for the message.
        num_dims: Its number of dimensions.

    Raises:
        GraphDataError: If the array has another type or shape.
    """
    array = read_npy(path)
    if array.dtype.kind not in "iu" or array.ndim != num_dims:
        raise GraphDataError(
            f"{path} must hold whole numbers of shape {shape}, "
            f"got {array.dtype} of shape {array.shape}"
        )
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise GraphDataError(f"{path} must hold numbers below 2^63, got {array.max()}")
    return torch.from_numpy(array.astype(np.int64))


def read_floats(path: Path, shape: str, num_dims: int) -> Tensor:
    """Read an array of numbers as float32.

    Args:
        path: The file.
        shape: The expected shape, for the message.
        num_dims: Its number of dimensions.

    Raises:
        GraphDataError: If the array has another type or shape.
    """
    array = read_npy(path)
    if array.dtype.kind not in "biuf" or array.ndim != num_dims:
        raise GraphDataError(
            f"{path} must hold numbers of shape {shape}, got {array.dtype} of shape {array.shape}"
        )
    return torch.from_numpy(_to_float32(path, array))


def _to_float32(path: Path, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(over="ignore"):
        result = array.astype(np.float32)
    lost = np.isinf(result)
    if lost.any() and array.dtype.kind == "f":
        lost &= np.isfinite(array)
        if lost.any():
            place = tuple(map(int, np.argwhere(lost)[0]))
            raise GraphDataError(f"{path}: {array[place]} at {place} is too large for float32")
    return result


def read_sparse(path: Path) -> Tensor:
    """Read a sparse matrix as torch.sparse CSR, float32.

    Args:
        path: A file written by ``scipy.sparse.save_npz``: CSR, CSC or COO.

    Raises:
        GraphDataError: If the file holds anything else, or indices outside the matrix.
    """
    from scipy import sparse

    kind = f"a sparse matrix of scipy.sparse.save_npz ({', '.join(_SPARSE_FORMATS)})"
    with refusing(path, kind), path.open("rb") as file:  # numpy leaves it open where it is no zip
        matrix = sparse.load_npz(file)
        if matrix.format not in _SPARSE_FORMATS or matrix.dtype.kind not in "biuf":
            raise ValueError(f"it holds a {matrix.format} matrix of {matrix.dtype}")
        if matrix.format != "coo":
            matrix.check_format(full_check=True)
        matrix = matrix.tocsr()
        matrix.data = _to_float32(path, matrix.data)
        matrix.sum_duplicates()
        crow, col = (torch.from_numpy(a.astype(np.int64)) for a in (matrix.indptr, matrix.indices))
        return csr(crow, col, torch.from_numpy(matrix.data), matrix.shape[1])
