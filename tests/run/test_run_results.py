"""What a run notes of its graph."""

from __future__ import annotations

import torch

from qgnn_lightning.data import GraphBatch
from qgnn_lightning.run import graph_summary


def _summary(edges: list[tuple[int, int]]) -> dict:
    part = torch.tensor([0, 1, 0, 1])
    masks = [part == 0, torch.tensor([False, True, False, False]), torch.arange(4) == 3]
    graph = GraphBatch.from_tensors(torch.ones(4, 5), torch.tensor(edges).T, part, *masks)
    return graph_summary(graph, "mine")


def test_an_undirected_edge_counts_once_and_a_link_to_itself_does_not():
    found = _summary([(0, 1), (1, 0), (1, 2), (2, 1), (3, 3), (0, 1)])
    assert found == {
        "title": "mine",
        "num_nodes": 4,
        "num_edges": 2,
        "directed": False,
        "num_features": 5,
        "num_classes": 2,
    }


def test_a_directed_edge_counts_by_itself():
    found = _summary([(0, 1), (1, 0), (1, 2)])
    assert (found["num_edges"], found["directed"]) == (3, True)
