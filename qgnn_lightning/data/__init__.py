"""Graphs with features, labels and a split, and the data module that feeds them to Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgnn_lightning.data._batch import GraphBatch, Stage
from qgnn_lightning.data._classes import TrainedClasses
from qgnn_lightning.data._column_sizes import ColumnSizes, column_sizes
from qgnn_lightning.data._mask_validation import validate_masks
from qgnn_lightning.data._raw_graph import GraphNames, RawGraph
from qgnn_lightning.data._sources import RANDOM_SOURCES, Source
from qgnn_lightning.data._split_sizes import SplitSizes
from qgnn_lightning.data._splits import Split, random_split
from qgnn_lightning.data._statistics import (
    GraphStatistics,
    degree_bin_edges,
    degree_histogram,
    graph_statistics,
)
from qgnn_lightning.data._validation import (
    GraphDataError,
    GraphFaultsError,
    GraphOptionError,
    validate_graph,
)

if TYPE_CHECKING:
    from qgnn_lightning.data._datamodule import GraphDataModule

__all__ = [
    "RANDOM_SOURCES",
    "ColumnSizes",
    "GraphBatch",
    "GraphDataError",
    "GraphDataModule",
    "GraphFaultsError",
    "GraphNames",
    "GraphOptionError",
    "GraphStatistics",
    "RawGraph",
    "Source",
    "Split",
    "SplitSizes",
    "Stage",
    "TrainedClasses",
    "column_sizes",
    "degree_bin_edges",
    "degree_histogram",
    "graph_statistics",
    "random_split",
    "validate_graph",
    "validate_masks",
]


def __getattr__(name: str) -> Any:
    # Graphs alone do not need Lightning, which takes seconds to import.
    if name == "GraphDataModule":
        from qgnn_lightning.data._datamodule import GraphDataModule

        return GraphDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
