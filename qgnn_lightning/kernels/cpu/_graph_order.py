"""Graphs as the library reads them; those used again in the order in which it is fastest."""

from __future__ import annotations

import ctypes
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from qgnn_lightning.kernels._graph import GraphTensors, PackedGraph
from qgnn_lightning.kernels.validation import check_num_threads

from ._loader import Order, check_status, library

#: Most features of rows that are read in another order: longer ones gain nothing.
FEW_FEATURES = 64
#: Most entries of a row on average, from which on there is nothing to gain.
FEW_NEIGHBOURS = 64
#: Most entries of a graph that is copied: 128 MiB.
MOST_ENTRIES = 1 << 25


class Graph:
    """A graph as calls read it.

    Args:
        tensors: Its tensors.
    """

    def __init__(self, tensors: GraphTensors) -> None:
        self._fields = {name: tensor.contiguous() for name, tensor in tensors._asdict().items()}

    def fields(self, num_features: int) -> dict[str, Tensor]:
        """What a call with so many features has of it."""
        return self._fields


class ReusedGraph(Graph):
    """A graph that is worth being put in order: rows by their number of neighbours, in windows."""

    def fields(self, num_features: int) -> dict[str, Tensor]:
        """What a call with so many features has of it."""
        return self._ordered if num_features <= FEW_FEATURES else self._fields

    @cached_property
    def _ordered(self) -> dict[str, Tensor]:
        rowptr, col, *_ = self._fields.values()
        num_nodes, num_entries = rowptr.numel() - 1, col.numel()
        if num_entries > min(FEW_NEIGHBOURS * num_nodes, MOST_ENTRIES):
            return self._fields
        row_at, place = torch.empty(2, num_nodes, dtype=torch.int32, device="cpu")
        ordered = {"rowptr": torch.empty_like(rowptr), "col": torch.empty_like(col)}
        record = Order(
            num_nodes=num_nodes,
            num_threads=check_num_threads(None, 8 * num_entries),
            rowptr=rowptr.data_ptr(),
            col=col.data_ptr(),
            row_at=row_at.data_ptr(),
            place=place.data_ptr(),
            ordered_rowptr=ordered["rowptr"].data_ptr(),
            ordered_col=ordered["col"].data_ptr(),
        )
        check_status(library().qgnn_order(ctypes.byref(record)))
        for name, factor in self._fields.items():
            if name not in ordered:
                ordered[name] = factor.index_select(0, row_at)
        return {**ordered, "row_at": row_at, "place": place}


_REUSED: WeakKeyDictionary[PackedGraph, ReusedGraph] = WeakKeyDictionary()


def reused(graph: PackedGraph) -> ReusedGraph:
    """The graph for calls that are made again; one for each, as long as it lives."""
    if graph not in _REUSED:
        _REUSED[graph] = ReusedGraph(graph.tensors())
    return _REUSED[graph]
