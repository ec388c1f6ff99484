"""A user's own graph from a folder of plain files."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._raw_graph import GraphNames, RawGraph
from qgnn_lightning.data._sources._arrays import naming, read_floats, read_integers, read_sparse
from qgnn_lightning.data._sources._edge_table import read_edges
from qgnn_lightning.data._sources._feature_table import column_names, read_features
from qgnn_lightning.data._sources._labels import Labels, read_labels
from qgnn_lightning.data._sources._misspelt import trace_unknown_names
from qgnn_lightning.data._sources._nodes import Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, shown
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._sources._split_file import SplitReader, ignore_split, read_split
from qgnn_lightning.data._sources._tables import SUFFIXES, open_table
from qgnn_lightning.data._sources._undirected import both_directions, check_one_weight
from qgnn_lightning.data._validation import (
    PARTS,
    TESTED_PARTS,
    GraphDataError,
    GraphOptionError,
    check_edges,
    check_features,
    check_known_classes,
    check_several_classes,
    check_weights,
)

#: The files of a graph, and the endings each may have.
_ENDINGS = {
    "edges": (*SUFFIXES, ".npy"),
    "features": (*SUFFIXES, ".npy", ".npz"),
    "labels": (*SUFFIXES, ".npy"),
    "split": (*SUFFIXES, ".npy"),
    "edge_weights": (".npy",),
}
_REQUIRED = ("edges", "features", "labels")

#: Checks the labels of the file with that path.
_ClassCheck = Callable[[Tensor, Path], None]


class OwnFilesSource(Source):
    """An undirected graph from a folder with ``edges``, ``features``, ``labels`` and ``split``.

    The page ``docs/data-format.md`` describes the files. Nothing in them is unpickled, and no
    file outside of the folder is read.

    Args:
        folder: The folder.
        read_split: Reads the file with the split; :func:`ignore_split` leaves it alone.
    """

    def __init__(self, folder: Path, read_split: SplitReader = read_split) -> None:
        self._folder = folder
        self._read_split = read_split

    def prepare(self, *, download: bool) -> None:
        """Check that the folder is there; what is in it is told with the faults of the files.

        Args:
            download: Not used.

        Raises:
            GraphDataError: If it is not.
        """
        if not self._folder.is_dir():
            found = "got the file" if self._folder.is_file() else "there is none at"
            raise GraphOptionError(
                f"root must be the folder of the graph's files, {found} {self._folder}"
            )

    def load(self) -> RawGraph:
        """Read and check the files.

        Raises:
            GraphDataError: If one is missing or wrong; a
                :class:`~qgnn_lightning.data.GraphFaultsError` tells all that is.
        """
        return self._load(check_several_classes, self._read_split)

    def load_to_describe(self) -> RawGraph:
        """Read and check the files; no label has to be known, and only test nodes are needed.

        Raises:
            GraphDataError: As for :meth:`load`.
        """
        return self._load(check_known_classes, self._read_split, TESTED_PARTS)

    def load_to_test(self) -> RawGraph:
        """Read the files where only the test nodes of the split are needed.

        Raises:
            GraphDataError: If one is missing or wrong.
        """
        return self._load(check_several_classes, self._read_split, TESTED_PARTS)

    def load_to_predict(self) -> RawGraph:
        """Read the files where the labels may all be unknown, and the split is not looked at.

        Raises:
            GraphDataError: If one is missing or wrong.
        """
        return self._load(_any_classes, ignore_split)

    def _load(
        self,
        check_classes: _ClassCheck,
        read_split: SplitReader,
        needed: Collection[str] = PARTS,
    ) -> RawGraph:
        self.prepare(download=False)
        faults = FileFaults()
        paths = self._paths(faults)
        labels = Labels.unlisted(self._folder)
        if "labels" in paths:
            labels = read_labels(paths["labels"], faults)
        with faults:
            if labels.y.numel():  # of a file with faults there are none
                check_classes(labels.y, labels.nodes.path)
        with faults:
            if "features" in paths:
                x, names = self._features(paths["features"], labels, faults)
        with faults:
            if "edges" in paths:
                weights = paths.get("edge_weights")
                edge_index, edge_weight = self._edges(paths["edges"], weights, labels.nodes, faults)
        split = None
        with faults:
            if "split" in paths:
                split = read_split(paths["split"], labels.nodes, faults, needed)
        trace_unknown_names(labels.nodes, faults)
        faults.tell()
        return RawGraph(
            x=sparsify(x),
            edge_index=edge_index,
            y=labels.y,
            split=split,
            edge_weight=edge_weight,
            names=names,
        )

    def _paths(self, faults: FileFaults) -> dict[str, Path]:
        """The files that are there, by name; takes as faults what is missing or called wrongly."""
        paths = {}
        missing = []
        for name, endings in _ENDINGS.items():
            with faults:
                path = self._find(name)
                if path is not None:
                    paths[name] = path
                elif name in _REQUIRED:
                    missing.append(f"{name}{' or '.join(endings)}")
        if missing:
            known = {path.name for path in paths.values()}
            others = sorted(one.name for one in self._folder.iterdir() if one.name not in known)
            more = f"; not used: {', '.join(map(shown, others[:5]))}" if others else ""
            more += ", ..." if len(others) > 5 else ""
            faults.add(
                GraphDataError(
                    f"{self._folder} must hold {'; '.join(missing)}{more} (docs/data-format.md "
                    "describes the files)"
                )
            )
        return paths

    def _find(self, name: str) -> Path | None:
        """The file of that name, whatever its ending.

        Raises:
            GraphDataError: If there are two, it is a link to somewhere else, or it is written in
                capitals.
        """
        paths = [self._folder / f"{name}{ending}" for ending in _ENDINGS[name]]
        found = [path for path in paths if path.is_file()]
        if not found:
            for path in self._folder.iterdir():
                if path.with_name(path.name.lower()) in paths:
                    raise GraphDataError(f"{path} must be called {path.name.lower()}")
        if len(found) > 1:
            raise GraphDataError(
                f"{self._folder} must hold {name} once, got "
                f"{' and '.join(path.name for path in found)}"
            )
        for path in found:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise GraphDataError(f"{path} must not lead out of its folder, to {path.resolve()}")
        return found[0] if found else None

    def _features(
        self, path: Path, labels: Labels, faults: FileFaults
    ) -> tuple[Tensor, GraphNames]:
        """The features, and all names of the graph."""
        names = labels.names
        if path.suffix in SUFFIXES:
            table = open_table(path)
            x = read_features(table, labels.nodes, faults)
            names = replace(names, columns=column_names(table), columns_file=path)
        else:
            x = self._feature_array(path, labels.nodes)
        check_features(x, str(path))
        return x, names

    def _feature_array(self, path: Path, nodes: Nodes) -> Tensor:
        if path.suffix == ".npz":
            x = read_sparse(path)
        else:
            x = read_floats(path, "(num_nodes, num_features)", 2)
        wanted = nodes.count_or(x.shape[0])
        if x.shape[0] != wanted:
            raise GraphDataError(
                f"{path} must have a row for each of the {wanted} nodes, got {x.shape[0]}"
            )
        return x

    def _edges(
        self, path: Path, weights: Path | None, nodes: Nodes, faults: FileFaults
    ) -> tuple[Tensor, Tensor | None]:
        edge_index, edge_weight = self._read_edges(path, weights, nodes, faults)
        found = int(edge_index.max()) + 1 if edge_index.numel() else 0
        check_edges(edge_index, nodes.count_or(found), str(path))
        if edge_weight is not None and weights is not None:  # those of tables are checked by row
            check_weights(edge_weight, edge_index.shape[1], str(weights))
            with naming(weights):
                check_one_weight(edge_index, edge_weight)
        return both_directions(edge_index, edge_weight)

    def _read_edges(
        self, path: Path, weights: Path | None, nodes: Nodes, faults: FileFaults
    ) -> tuple[Tensor, Tensor | None]:
        if path.suffix in SUFFIXES:
            if weights is not None:
                raise GraphDataError(
                    f"{weights} goes with edges.npy only: {path.name} has a column weight"
                )
            return read_edges(open_table(path), nodes, faults)
        edge_index = read_integers(path, "(2, num_edges)", 2)
        if weights is None:
            return edge_index, None
        return edge_index, read_floats(weights, "(num_edges,)", 1)


def _any_classes(y: Tensor, path: Path) -> None:
    """Where classes are predicted, none has to be known."""
