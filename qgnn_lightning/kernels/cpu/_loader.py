"""Find, load and describe the compiled library."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from qgnn_lightning.kernels.validation import not_finite

from ._results import release_results

ABI_VERSION = 10
ISA_VARIABLE = "QGNN_KERNEL_ISA"

_STEM = "_qgnn_kernels"
# As in `common.h`.
_NOT_FINITE, _MALFORMED = 3, 4
_INT64_FUNCTIONS = (
    "num_isas",
    "isa_runs_here",
    "release_workspace",
    "propagate",
    "propagation_bytes",
    "order",
    "neighbour_sum",
    "quantize_pack",
    "linear",
    "network",
)


def _records(names: str, kind: type) -> list[tuple[str, type]]:
    return [(name, kind) for name in names.split()]


class Propagation(ctypes.Structure):
    """Mirror of ``QgnnPropagation`` in ``common.h``."""

    _fields_ = [
        *_records("num_nodes num_features row_bytes num_bits num_steps", ctypes.c_int64),
        *_records("delta_sigma residual_bits truncated num_threads isa", ctypes.c_int64),
        *_records("rowptr col inv_degree inv_sqrt_degree sqrt_degree", ctypes.c_void_p),
        *_records("row_at place", ctypes.c_void_p),
        *_records("x0 out trace workspace groups", ctypes.c_void_p),
        *_records("scale inv_scale gain unit inv_unit", ctypes.c_void_p),
        *_records("message_gain ratio zero_point shift", ctypes.c_void_p),
        *_records("momentum restart start inv_restart_unit", ctypes.c_float),
    ]


class Order(ctypes.Structure):
    """Mirror of ``QgnnOrder`` in ``common.h``."""

    _fields_ = [
        *_records("num_nodes num_threads", ctypes.c_int64),
        *_records("rowptr col row_at place ordered_rowptr ordered_col", ctypes.c_void_p),
    ]


class Linear(ctypes.Structure):
    """Mirror of ``QgnnLinear`` in ``common.h``."""

    _fields_ = [
        *_records("num_rows in_features out_features x_bits x_row_bytes", ctypes.c_int64),
        *_records("relu out_bits out_row_bytes num_threads isa", ctypes.c_int64),
        *_records("sparse num_entries col_bytes weight_bytes", ctypes.c_int64),
        *_records("x dense rowptr col value", ctypes.c_void_p),
        *_records("weight factor bias laid_out out packed", ctypes.c_void_p),
        *_records("x_zero_point x_stride x_shift out_zero_point", ctypes.c_int32),
        *_records("x_inv_scale out_inv_scale", ctypes.c_float),
    ]


class Network(ctypes.Structure):
    """Mirror of ``QgnnNetwork`` in ``common.h``."""

    _fields_ = [("encoder", Linear), ("classifier", Linear), ("propagation", Propagation)]


def _library_path() -> Path | None:
    folder = Path(__file__).parent
    candidates = (folder / f"{_STEM}{suffix}" for suffix in EXTENSION_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


@cache
def _load() -> ctypes.CDLL | str:
    """Return the library, or the reason why there is none."""
    path = _library_path()
    if path is None:
        return (
            "the C++ kernels were not compiled when the package was installed "
            "(install again where a C++ compiler is found)"
        )
    try:
        library = ctypes.CDLL(str(path))
        library.qgnn_abi_version.restype = ctypes.c_int64
        version = library.qgnn_abi_version()
    except (OSError, AttributeError) as error:
        return f"the compiled library {path.name} does not load: {error}"
    if version != ABI_VERSION:
        return f"the compiled library has interface {version}, this package needs {ABI_VERSION}"
    library.qgnn_isa_name.restype = ctypes.c_char_p
    for name in _INT64_FUNCTIONS:
        getattr(library, f"qgnn_{name}").restype = ctypes.c_int64
    for name in ("row_groups", "linear_weights"):
        getattr(library, f"qgnn_make_{name}").restype = ctypes.c_void_p
        forget = getattr(library, f"qgnn_forget_{name}")
        forget.restype, forget.argtypes = None, [ctypes.c_void_p]
    return library


def why_unavailable() -> str | None:
    """Return why the compiled library cannot be used, or ``None`` if it can."""
    loaded = _load()
    return loaded if isinstance(loaded, str) else None


def library() -> ctypes.CDLL:
    """Return the compiled library.

    Raises:
        RuntimeError: If there is none, with the reason.
    """
    loaded = _load()
    if isinstance(loaded, str):
        raise RuntimeError(loaded)
    return loaded


@cache
def compiled_isas() -> tuple[str, ...]:
    """Return the instruction sets the library was compiled for, slowest first."""
    lib = library()
    return tuple(lib.qgnn_isa_name(ctypes.c_int64(i)).decode() for i in range(lib.qgnn_num_isas()))


@cache
def available_isas() -> tuple[str, ...]:
    """Return the compiled instruction sets that this processor has, slowest first."""
    lib = library()
    return tuple(
        name for i, name in enumerate(compiled_isas()) if lib.qgnn_isa_runs_here(ctypes.c_int64(i))
    )


def selected_isa() -> int:
    """Return the index of the instruction set to use: the best, or the one the environment names.

    Raises:
        RuntimeError: If ``QGNN_KERNEL_ISA`` names one that is not available.
    """
    return _index_of_isa(os.environ.get(ISA_VARIABLE, ""))


@cache
def _index_of_isa(wanted: str) -> int:
    available = available_isas()
    name = wanted or available[-1]
    if name not in available:
        raise RuntimeError(f"{ISA_VARIABLE} must be one of {list(available)} here, got {name!r}")
    return compiled_isas().index(name)


def release_workspace() -> int:
    """Free the buffers kept between calls, of state and of results; return their size in bytes."""
    return int(library().qgnn_release_workspace()) + release_results()


class MalformedRowsError(ValueError):
    """Sparse rows break the rules of `validation.check_rows`, which says where."""


def check_status(status: int) -> None:
    """Raise ``MemoryError`` or ``ValueError`` if a kernel reports it."""
    if status == _NOT_FINITE:
        raise not_finite()
    if status == _MALFORMED:
        raise MalformedRowsError("rowptr and col must describe sparse rows")
    if status != 0:
        raise MemoryError("the packed kernel could not allocate its buffers")
