"""Graphs with their rows in the order in which the library is fastest."""

from __future__ import annotations

import ctypes
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from qgnn_lightning.kernels._graph import GraphTensors, PackedGraph
from qgnn_lightning.kernels.validation import check_num_threads

from ._loader import Order, check_status, library

#: Entries of a row on average, from which on little is gained.
MANY_NEIGHBOURS = 64
#: Entries of the largest graph that is copied: 128 MiB.
MOST_ENTRIES = 1 << 25


class GraphRows(NamedTuple):
    """A graph, and how its order differs from that of the features, if it does.

    Args:
        graph: The tensors.
        row_at: The row of the features that lies at a place, int32.
        place: The place of a row of the features, int32.

    Shapes:
        row_at, place: ``(num_nodes,)``
    """

    graph: GraphTensors
    row_at: Tensor | None = None
    place: Tensor | None = None


_ORDERED: WeakKeyDictionary[PackedGraph, GraphRows] = WeakKeyDictionary()


def ordered(graph: PackedGraph) -> GraphRows:
    """The graph in another order, or as it is where that gains nothing; kept with the graph."""
    if graph not in _ORDERED:
        num_entries = graph.col.numel()
        few = num_entries <= min(MANY_NEIGHBOURS * graph.num_nodes, MOST_ENTRIES)
        _ORDERED[graph] = _in_order(graph.tensors()) if few else GraphRows(graph.tensors())
    return _ORDERED[graph]


def _in_order(graph: GraphTensors) -> GraphRows:
    rowptr, col = graph.rowptr.contiguous(), graph.col.contiguous()
    num_nodes = rowptr.numel() - 1
    row_at, place = torch.empty(2, num_nodes, dtype=torch.int32, device="cpu")
    ordered_rowptr, ordered_col = torch.empty_like(rowptr), torch.empty_like(col)
    record = Order(
        num_nodes=num_nodes,
        num_threads=check_num_threads(None, 8 * col.numel()),
        rowptr=rowptr.data_ptr(),
        col=col.data_ptr(),
        row_at=row_at.data_ptr(),
        place=place.data_ptr(),
        ordered_rowptr=ordered_rowptr.data_ptr(),
        ordered_col=ordered_col.data_ptr(),
    )
    check_status(library().qgnn_order(ctypes.byref(record)))
    factors = (factor.index_select(0, row_at) for factor in graph[2:])
    return GraphRows(GraphTensors(ordered_rowptr, ordered_col, *factors), row_at, place)
