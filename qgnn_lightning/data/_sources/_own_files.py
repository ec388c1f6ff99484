"""A user's own graph from a folder of plain files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._raw_graph import GraphNames, RawGraph
from qgnn_lightning.data._sources._arrays import read_floats, read_integers, read_npy, read_sparse
from qgnn_lightning.data._sources._node_table import (
    PARTS,
    Labels,
    number_classes,
    read_edges,
    read_features,
    read_labels,
    read_split,
    split_of,
)
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._sources._tables import open_table
from qgnn_lightning.data._sources._undirected import both_directions
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import (
    Faults,
    GraphDataError,
    GraphOptionError,
    check_edges,
    check_features,
    check_labels,
    check_several_classes,
)

_TABLES = (".csv", ".parquet")
#: The files of a graph, and the endings each may have.
_ENDINGS = {
    "edges": (*_TABLES, ".npy"),
    "features": (*_TABLES, ".npy", ".npz"),
    "labels": (*_TABLES, ".npy"),
    "split": (*_TABLES, ".npy"),
    "edge_weights": (".npy",),
}
_REQUIRED = ("edges", "features", "labels")


class OwnFilesSource(Source):
    """An undirected graph from a folder with ``edges``, ``features``, ``labels`` and ``split``.

    The page ``docs/data-format.md`` describes the files. Nothing in them is unpickled, and no
    file outside of the folder is read.

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
            GraphDataError: If one is missing.
        """
        if not self._folder.is_dir():
            found = "got the file" if self._folder.is_file() else "there is none at"
            raise GraphOptionError(
                f"root must be the folder of the graph's files, {found} {self._folder}"
            )
        faults = Faults()
        missing = []
        for name in _ENDINGS:
            with faults:
                if self._find(name) is None and name in _REQUIRED:
                    missing.append(name)
        faults.tell()
        if missing:
            wanted = "; ".join(f"{name}{' or '.join(_ENDINGS[name])}" for name in missing)
            raise GraphDataError(f"{self._folder} must hold {wanted}")

    def load(self) -> RawGraph:
        """Read and check the files.

        Raises:
            GraphDataError: If one is missing or wrong.
        """
        self.prepare(download=False)
        labels = self._labels(self._required("labels"))
        faults = Faults()
        with faults:
            _check_labels(self._required("labels"), labels.y)
        with faults:
            x = self._features(self._required("features"), labels)
        with faults:
            edge_index, edge_weight = self._edges(self._required("edges"), labels)
        with faults:
            split = self._split(self._find("split"), labels)
        faults.tell()
        return RawGraph(
            x=sparsify(x),
            edge_index=edge_index,
            y=labels.y,
            split=split,
            edge_weight=edge_weight,
            names=labels.names,
        )

    def _find(self, name: str) -> Path | None:
        """The file of that name, whatever its ending.

        Raises:
            GraphDataError: If there are two, or it is a link to somewhere else.
        """
        paths = [self._folder / f"{name}{ending}" for ending in _ENDINGS[name]]
        found = [path for path in paths if path.is_file()]
        if len(found) > 1:
            raise GraphDataError(
                f"{self._folder} must hold {name} once, got "
                f"{' and '.join(path.name for path in found)}"
            )
        for path in found:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise GraphDataError(f"{path} must not lead out of its folder, to {path.resolve()}")
        return found[0] if found else None

    def _required(self, name: str) -> Path:
        path = self._find(name)
        assert path is not None
        return path

    def _labels(self, path: Path) -> Labels:
        if path.suffix in _TABLES:
            return read_labels(open_table(path))
        array = read_npy(path)
        if array.ndim == 1 and array.dtype.kind == "U":
            y, class_names = number_classes(path, array.tolist())
        else:
            y, class_names = read_integers(path, "(num_nodes,)", 1), None
        nodes = {str(node): node for node in range(len(y))}
        return Labels(nodes, y, GraphNames(classes=class_names))

    def _features(self, path: Path, labels: Labels) -> Tensor:
        x = self._read_features(path, labels)
        with _naming(path):
            check_features(x)
        return x

    def _read_features(self, path: Path, labels: Labels) -> Tensor:
        if path.suffix in _TABLES:
            return read_features(open_table(path), labels.nodes)
        if path.suffix == ".npz":
            x = read_sparse(path)
        else:
            x = read_floats(path, "(num_nodes, num_features)", 2)
        if x.shape[0] != len(labels.y):
            raise GraphDataError(
                f"{path} must have a row for each of the {len(labels.y)} nodes, got {x.shape[0]}"
            )
        return x

    def _edges(self, path: Path, labels: Labels) -> tuple[Tensor, Tensor | None]:
        edge_index, edge_weight = self._read_edges(path, labels)
        with _naming(path):
            check_edges(edge_index, len(labels.y), edge_weight)
            return both_directions(edge_index, edge_weight)

    def _read_edges(self, path: Path, labels: Labels) -> tuple[Tensor, Tensor | None]:
        weights = self._find("edge_weights")
        if path.suffix in _TABLES:
            if weights is not None:
                raise GraphDataError(
                    f"{weights} goes with edges.npy only: {path.name} has a column weight"
                )
            return read_edges(open_table(path), labels.nodes)
        edge_index = read_integers(path, "(2, num_edges)", 2)
        if weights is None:
            return edge_index, None
        return edge_index, read_floats(weights, "(num_edges,)", 1)

    def _split(self, path: Path | None, labels: Labels) -> Split | None:
        if path is None:
            return None
        if path.suffix in _TABLES:
            return read_split(open_table(path), labels.nodes)
        parts = read_npy(path)
        if parts.shape != (len(labels.y),) or parts.dtype.kind != "U":
            raise GraphDataError(
                f"{path} must hold a text per node, shape ({len(labels.y)},), "
                f"got {parts.dtype} of shape {parts.shape}"
            )
        known = torch.from_numpy((parts[:, None] == [*PARTS, ""]).any(1))
        if not bool(known.all()):
            node = int((~known).nonzero()[0])
            raise GraphDataError(
                f"{path} must hold {', '.join(PARTS)} or an empty text, "
                f"got {str(parts[node])!r} at node {node}"
            )
        return split_of(parts)


def _check_labels(path: Path, y: Tensor) -> None:
    with _naming(path):
        check_labels(y, len(y))
    check_several_classes(y, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say in which file a fault is."""
    try:
        yield
    except GraphDataError as error:
        raise GraphDataError(f"{path}: {error}") from error
