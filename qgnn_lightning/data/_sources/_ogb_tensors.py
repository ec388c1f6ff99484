"""Plain values and numpy arrays from torch files, without letting a file run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct, scalar

#: How numpy rebuilds arrays and numbers, under its names before and since version 2.
_NUMPY: list[Any] = [
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("i4", "i8", "u8", "f4", "f8", "?")),
    *((_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]


def load_plain(path: Path) -> dict[str, Any]:
    """Read a dictionary of plain values and numpy arrays; anything else is refused.

    Args:
        path: A file written by ``torch.save``.

    Raises:
        TypeError: If it holds no dictionary.
        UnpicklingError: If it holds anything else.
    """
    with torch.serialization.safe_globals(_NUMPY):
        found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise TypeError(f"expected a dictionary, found {type(found).__name__}")
    return found
