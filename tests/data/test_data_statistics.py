"""The description of a graph, against counting by hand and sets of neighbours."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qgnn_lightning.data import degree_bin_edges, degree_histogram, graph_statistics
from qgnn_lightning.data._raw_graph import RawGraph


def statistics(edges, num_nodes, y, **arguments):
    edge_index = torch.tensor(edges, dtype=torch.int64).view(-1, 2).T
    x = torch.zeros(num_nodes, 4)
    x[0, 0] = 1
    return graph_statistics(RawGraph(x, edge_index, torch.tensor(y), **arguments))


def both(edges):
    return [*edges, *((b, a) for a, b in edges)]


def test_a_graph_counted_by_hand():
    # A path 0-1-2, a pair 3-4, and node 5 alone with a link to itself.
    found = statistics([*both([(0, 1), (1, 2), (3, 4)]), (5, 5)], 6, [0, 0, 1, 1, 1, 3])
    assert (found.num_nodes, found.num_edges, found.directed) == (6, 3, False)
    assert (found.num_features, found.feature_density, found.weighted) == (4, 1 / 24, False)
    assert (found.num_components, found.largest_component, found.num_isolated) == (3, 3, 1)
    assert (found.least_degree, found.median_degree, found.most_degree) == (0, 1, 2)
    assert found.mean_degree == 1
    assert found.class_sizes == (2, 3, 0, 1)
    assert found.homophily == pytest.approx(2 / 3)
    # Ends of edges: three in class 0, three in class 1.
    assert found.homophily_by_chance == pytest.approx(1 / 2)
    assert [(one.name, one.nodes) for one in found.degrees] == [("0", 1), ("1", 4), ("2", 1)]


def test_unknown_labels_do_not_count():
    found = statistics(both([(0, 1), (1, 2), (2, 3)]), 4, [0, 0, 1, -1])
    assert (found.class_sizes, found.num_unlabelled, found.num_edges) == ((2, 1), 1, 3)
    assert found.homophily == pytest.approx(1 / 2)  # of 0-1 and 1-2
    unknown = statistics(both([(0, 1), (1, 2)]), 3, [0, -1, 0])
    assert (unknown.homophily, unknown.homophily_by_chance) == (None, None)


def test_directed_weighted_and_empty_graphs():
    found = statistics([(0, 1), (1, 0), (1, 2)], 3, [0, 1, 0], edge_weight=torch.ones(3))
    assert (found.num_edges, found.directed, found.weighted) == (3, True, True)
    assert (found.least_degree, found.most_degree, found.num_components) == (1, 2, 1)
    empty = statistics([], 2, [0, 1])
    assert (empty.homophily, empty.homophily_by_chance, empty.num_components) == (None, None, 2)
    assert (empty.num_edges, empty.num_isolated) == (0, 2)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20), st.randoms())
def test_against_sets_of_neighbours(edges, random):
    y = [random.randrange(3) for _ in range(8)]
    found = statistics(both(edges), 8, y)
    neighbours = {node: set() for node in range(8)}
    for a, b in both(edges):
        if a != b:
            neighbours[a].add(b)
    parts = []
    for node in range(8):
        touching = [part for part in parts if part & (neighbours[node] | {node})]
        parts = [part for part in parts if part not in touching]
        parts.append(set().union({node}, neighbours[node], *touching))
    assert found.num_components == len(parts)
    assert found.largest_component == max(map(len, parts))
    assert found.num_edges == sum(map(len, neighbours.values())) // 2
    assert found.num_isolated == sum(not one for one in neighbours.values())
    pairs = {frozenset((a, b)) for a in neighbours for b in neighbours[a]}
    if pairs:
        same = sum(len({y[node] for node in pair}) == 1 for pair in pairs)
        assert found.homophily == pytest.approx(same / len(pairs))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=50))
def test_bins_hold_every_node_once(degrees):
    bins = degree_histogram(torch.tensor(degrees))
    for one in bins:
        assert one.nodes == sum(one.least <= degree <= one.most for degree in degrees)
    assert sum(one.nodes for one in bins) == len(degrees)


def test_bins_double_in_width():
    assert degree_bin_edges(20) == [(0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32)]
    assert degree_bin_edges(0) == [(0, 0)]
