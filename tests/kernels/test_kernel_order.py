"""Graphs in the order in which the compiled kernels are fastest."""

from __future__ import annotations

import gc

import pytest
import torch
from kernel_cases import random_graph

from qgnn_lightning.kernels import PackedGraph, cpu, why_unavailable
from qgnn_lightning.kernels.cpu._graph_order import FEW_FEATURES

pytestmark = pytest.mark.skipif(
    why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu"))
)


WINDOW = 2048


@pytest.mark.parametrize("num_nodes", [1, 2, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW + 5])
@pytest.mark.parametrize("hub", [False, True])
def test_nodes_change_places_within_windows(num_nodes: int, hub: bool) -> None:
    graph = random_graph(num_nodes, 8 * num_nodes, seed=num_nodes, hub=hub)
    fields = cpu.reused(graph).fields(FEW_FEATURES)
    row_at, place = fields["row_at"].tolist(), fields["place"].tolist()
    assert [row_at[p] for p in place] == list(range(num_nodes))
    assert all(p // WINDOW == row // WINDOW for p, row in enumerate(row_at))
    rowptr, col = fields["rowptr"], fields["col"]
    for window in (rowptr[1:] - rowptr[:-1]).clamp(max=255).split(WINDOW):
        assert window.tolist() == sorted(window.tolist())
    for p, row in enumerate(row_at):
        neighbours = col[rowptr[p] : rowptr[p + 1]].tolist()
        expected = graph.col[graph.rowptr[row] : graph.rowptr[row + 1]].tolist()
        assert [row_at[q] for q in neighbours] == expected
    for name in ("inv_degree", "inv_sqrt_degree", "sqrt_degree"):
        assert torch.equal(getattr(graph, name)[fields["row_at"].long()], fields[name])


def test_no_nodes() -> None:
    graph = PackedGraph.from_csr(torch.zeros(1, dtype=torch.int64), torch.zeros(0).int())
    assert cpu.reused(graph).fields(1)["rowptr"].tolist() == [0]


@pytest.mark.parametrize(("entries", "features"), [(50 * 65, 1), (50, FEW_FEATURES + 1)])
def test_where_nothing_is_gained_the_graph_stays_as_it_is(entries: int, features: int) -> None:
    graph = random_graph(50, entries, seed=0)
    fields = cpu.reused(graph).fields(features)
    assert "row_at" not in fields
    assert fields["col"].data_ptr() == graph.col.data_ptr()


def test_the_order_is_found_once_and_goes_with_the_graph() -> None:
    gc.collect()
    kept = len(cpu._graph_order._REUSED)
    graph = random_graph(50, 300, seed=0)
    assert cpu.reused(graph).fields(1) is cpu.reused(graph).fields(2)
    assert len(cpu._graph_order._REUSED) == kept + 1
    del graph
    gc.collect()
    assert len(cpu._graph_order._REUSED) == kept
