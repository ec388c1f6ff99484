"""A user's own graph from a folder of arrays, the features of which stay on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._sources._unreadable import unreadable
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

_REQUIRED = ("x", "edge_index", "y")
_MASKS = ("train_mask", "val_mask", "test_mask")


class NpySource(Source):
    """A graph from ``.npy`` files, written by ``numpy.save``; pickled objects are refused.

    The features, ``x.npy``, float32 ``(num_nodes, num_features)``, are mapped into memory: only
    the rows that are in use are read, so they may be larger than the memory. The other files
    are read whole: ``edge_index.npy`` (2, num_edges) with both directions of every undirected
    edge, ``y.npy`` (num_nodes,); optional ``edge_weight.npy`` (num_edges,), and
    ``train_mask.npy``, ``val_mask.npy``, ``test_mask.npy`` (num_nodes,), bool, all or none.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, *, download: bool) -> None:
        """Check that the files are there.

        Args:
            download: Not used.

        Raises:
            GraphDataError: If files are missing.
        """
        names = [*_REQUIRED, *(_MASKS if self._has_masks else ())]
        missing = [f"{name}.npy" for name in names if not self._path(name).is_file()]
        if missing:
            raise GraphOptionError(
                f"root must be a folder with {', '.join(f'{name}.npy' for name in names)}; "
                f"missing in {self._folder}: {', '.join(missing)}"
            )

    def load(self) -> RawGraph:
        """Map the features, read the other arrays.

        Raises:
            GraphDataError: If files are missing, or hold Python objects or features that are not
                float32.
        """
        self.prepare(download=False)
        # Copy on write: the file itself is never changed.
        x = self._read("x", mmap_mode="c")
        if x.dtype != torch.float32:
            raise GraphDataError(f"{self._path('x')} must be float32 to be mapped, got {x.dtype}")
        weight = self._read("edge_weight") if self._path("edge_weight").is_file() else None
        return RawGraph(
            x=x,
            edge_index=self._read("edge_index"),
            y=self._read("y"),
            split=Split(*map(self._read, _MASKS)) if self._has_masks else None,
            edge_weight=weight,
        )

    @property
    def _has_masks(self) -> bool:
        return any(self._path(name).is_file() for name in _MASKS)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.npy"

    def _read(self, name: str, mmap_mode: Literal["c"] | None = None) -> Tensor:
        path = self._path(name)
        try:
            array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
            return torch.from_numpy(array)
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise unreadable(path, "a plain numpy array", error) from error
