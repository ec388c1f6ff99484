"""Graphs in the order in which the compiled kernels are fastest."""

from __future__ import annotations

import gc

import pytest
import torch
from kernel_cases import random_graph

from qgnn_lightning.kernels import PackedGraph, cpu, why_unavailable

pytestmark = pytest.mark.skipif(
    why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu"))
)


@pytest.mark.parametrize("num_nodes", [1, 2, 255, 256, 257, 5000])
@pytest.mark.parametrize("hub", [False, True])
def test_nodes_change_places_within_windows(num_nodes: int, hub: bool) -> None:
    graph = random_graph(num_nodes, 8 * num_nodes, seed=num_nodes, hub=hub)
    rows = cpu.ordered(graph)
    assert rows.row_at is not None and rows.place is not None
    row_at, place, old, new = rows.row_at.tolist(), rows.place.tolist(), graph, rows.graph
    assert [row_at[p] for p in place] == list(range(num_nodes))
    assert all(p // 256 == row // 256 for p, row in enumerate(row_at))
    counts = (new.rowptr[1:] - new.rowptr[:-1]).clamp(max=255)
    for window in counts.split(256):
        assert window.tolist() == sorted(window.tolist())
    for p, row in enumerate(row_at):
        neighbours = new.col[new.rowptr[p] : new.rowptr[p + 1]].tolist()
        expected = old.col[old.rowptr[row] : old.rowptr[row + 1]].tolist()
        assert [row_at[q] for q in neighbours] == expected
    for factor, ordered in zip(old.tensors()[2:], new[2:], strict=True):
        assert torch.equal(factor[rows.row_at.long()], ordered)


def test_no_nodes() -> None:
    graph = PackedGraph.from_csr(torch.zeros(1, dtype=torch.int64), torch.zeros(0).int())
    assert cpu.ordered(graph).graph.rowptr.tolist() == [0]


def test_dense_graphs_stay_as_they_are() -> None:
    graph = random_graph(50, 50 * 65, seed=0)
    assert cpu.ordered(graph).row_at is None
    assert cpu.ordered(graph).graph.col is graph.col


def test_the_order_is_found_once_and_goes_with_the_graph() -> None:
    kept = len(cpu._order._ORDERED)
    graph = random_graph(50, 300, seed=0)
    assert cpu.ordered(graph) is cpu.ordered(graph)
    assert len(cpu._order._ORDERED) == kept + 1
    del graph
    gc.collect()
    assert len(cpu._order._ORDERED) == kept
