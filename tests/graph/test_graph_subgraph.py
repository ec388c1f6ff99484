"""A part of a graph is a block of its matrices."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import graphs, normal, seeds

from qgnn_lightning.graph import entries_of_rows, induced_subgraph, propagate


@given(graphs(), seeds)
def test_the_normalised_part_is_a_block_of_the_normalised_whole(graph, seed):
    nodes = (normal(seed, graph.num_nodes) > 0).nonzero().flatten()
    part = induced_subgraph(graph.adjacency(), nodes)
    identity = torch.eye(nodes.numel(), dtype=torch.float64)
    block = graph.normalized()[nodes][:, nodes]
    torch.testing.assert_close(propagate(part, identity), block)


@given(graphs(weighted=True, directed=True), seeds)
def test_weights_and_directions_are_kept_and_rows_stay_sorted(graph, seed):
    nodes = (normal(seed, graph.num_nodes) > 0).nonzero().flatten()
    whole = graph.adjacency()
    part = induced_subgraph(whole, nodes)
    assert torch.equal(part.matrix(torch.float64).to_dense(), graph.dense()[nodes][:, nodes])
    assert torch.equal(part.degree, whole.degree[nodes])
    for row in range(part.num_nodes):
        col = part.col[part.rowptr[row] : part.rowptr[row + 1]]
        assert torch.equal(col, col.unique())


@given(graphs(), seeds)
def test_gradients_of_a_directed_part_are_those_of_the_block(graph, seed):
    nodes = torch.arange(0, graph.num_nodes, 2)
    part = induced_subgraph(graph.adjacency(), nodes)
    x = normal(seed, nodes.numel(), 2).requires_grad_()
    torch.testing.assert_close(
        torch.autograd.grad(propagate(part, x).square().sum(), x)[0],
        torch.autograd.grad((graph.normalized()[nodes][:, nodes] @ x).square().sum(), x)[0],
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), seeds)
def test_entries_of_rows_are_those_between_two_starts(counts, seed):
    rowptr = torch.tensor([0, *counts]).cumsum(0)
    rows = (normal(seed, len(counts)) > 0).nonzero().flatten()
    entry, count = entries_of_rows(rowptr, rows)
    expected = [i for row in rows for i in range(int(rowptr[row]), int(rowptr[row + 1]))]
    assert entry.tolist() == expected
    assert count.tolist() == [counts[row] for row in rows]


@pytest.mark.parametrize("kept", [[], [2]])
def test_no_node_and_one_node(kept):
    from random_graphs import ring_with_chords

    part = induced_subgraph(ring_with_chords(5).adjacency(), torch.tensor(kept, dtype=torch.long))
    assert part.num_nodes == part.num_edges == len(kept)
