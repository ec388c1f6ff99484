"""A user's own graph from one numpy file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._arrays import refusing
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

_REQUIRED = ("x", "edge_index", "y")
_MASKS = ("train_mask", "val_mask", "test_mask")


class NpzSource(Source):
    """A graph from one ``.npz`` file, written by ``numpy.savez``; pickled objects are refused.

    Arrays: ``x`` (num_nodes, num_features), ``edge_index`` (2, num_edges) with both directions
    of every undirected edge, ``y`` (num_nodes,); optional: ``edge_weight`` (num_edges,), and
    ``train_mask``, ``val_mask``, ``test_mask`` (num_nodes,), bool, all of them or none.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self, *, download: bool) -> None:
        """Check that the file is there.

        Args:
            download: Not used.

        Raises:
            GraphDataError: If there is no such file, or it is none of numpy's.
        """
        if not self._path.is_file():
            raise GraphOptionError(f"root must be an .npz file, there is none at {self._path}")
        if not zipfile.is_zipfile(self._path):
            raise GraphDataError(
                f"{self._path} must be a numpy .npz file of plain arrays, as numpy.savez writes it"
            )

    def load(self) -> RawGraph:
        """Read the arrays.

        Raises:
            GraphDataError: If the file or arrays are missing, or hold Python objects.
        """
        arrays = self._arrays()
        missing = [name for name in _REQUIRED if name not in arrays]
        masks = [name for name in _MASKS if name in arrays]
        if masks:
            missing += [name for name in _MASKS if name not in arrays]
        if missing:
            raise GraphDataError(
                f"{self._path} must hold the arrays {', '.join(_REQUIRED)} and, for the public "
                f"split, {', '.join(_MASKS)}; missing: {', '.join(missing)}"
            )
        return RawGraph(
            x=sparsify(arrays["x"]),
            edge_index=arrays["edge_index"],
            y=arrays["y"],
            split=Split(*(arrays[name] for name in _MASKS)) if masks else None,
            edge_weight=arrays.get("edge_weight"),
        )

    def _arrays(self) -> dict[str, Tensor]:
        self.prepare(download=False)
        # Opened here: numpy leaves the file open where it is no zip.
        with (
            refusing(self._path, "a numpy .npz file of plain arrays"),
            self._path.open("rb") as raw,
            np.load(raw, allow_pickle=False) as file,
        ):
            known = [name for name in file.files if name in _KNOWN]
            return {name: torch.from_numpy(file[name]) for name in known}


_KNOWN = (*_REQUIRED, *_MASKS, "edge_weight")
