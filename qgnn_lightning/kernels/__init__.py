"""Message passing and linear maps on packed codes of 2, 4 and 8 bits.

`api` holds the operations, `reference` defines them, the other backends run them faster.
Importing this package compiles nothing and loads no library.
"""

from __future__ import annotations

from ._blockwise import propagate_in_blocks
from ._constants import StepCoefficients
from ._graph import PackedGraph
from ._grid import Grid
from .api import (
    Propagated,
    linear,
    neighbour_sum,
    pack,
    propagate,
    quantize_pack,
    sparse_linear,
    unpack,
)
from .backends import BackendUnavailableError, available_backends, why_unavailable
from .layout import FORMAT_VERSION, SUPPORTED_BITS, PackedLayout

__all__ = [
    "FORMAT_VERSION",
    "SUPPORTED_BITS",
    "BackendUnavailableError",
    "Grid",
    "PackedGraph",
    "PackedLayout",
    "Propagated",
    "StepCoefficients",
    "available_backends",
    "linear",
    "neighbour_sum",
    "pack",
    "propagate",
    "propagate_in_blocks",
    "quantize_pack",
    "sparse_linear",
    "unpack",
    "why_unavailable",
]
