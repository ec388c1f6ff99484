"""The digits graph against scikit-learn's own nearest neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from qgnn_lightning.data import GraphBatch, GraphDataModule
from qgnn_lightning.data._sources._digits import nearest_neighbours


@pytest.fixture(scope="module")
def graph() -> GraphBatch:
    data = GraphDataModule("digits")
    data.prepare_data()
    data.setup()
    return data.graph


def test_sizes_and_split(graph):
    assert (graph.num_nodes, graph.num_features, graph.num_classes) == (1797, 64, 10)
    assert torch.bincount(graph.y[graph.train_mask]).tolist() == [5] * 10
    assert (int(graph.val_mask.sum()), int(graph.test_mask.sum())) == (300, 1447)


def test_features_are_the_pixels_in_the_unit_interval(graph):
    assert graph.x.min() == 0
    assert graph.x.max() == 1
    np.testing.assert_array_equal(graph.x.numpy() * 16, load_digits().data)


def test_neighbours_are_the_nearest_of_either(graph):
    points = load_digits().data
    nearest = NearestNeighbors(n_neighbors=11, algorithm="brute").fit(points)
    distances = np.rint(nearest.kneighbors(points)[0] ** 2)
    row, col = graph.adjacency.row, graph.adjacency.col
    squared = torch.from_numpy(((points[row] - points[col]) ** 2).sum(1))
    reach = torch.from_numpy(distances[:, -1])
    # A neighbour is within the reach of the 10th nearest of one of the two ...
    assert bool((squared <= torch.maximum(reach[row], reach[col])).all())
    # ... and all that are strictly nearer are there.
    nearer = squared < reach[row]
    expected = torch.from_numpy((distances[:, 1:] < distances[:, -1:]).sum(1) + 1)
    assert torch.equal(torch.bincount(row[nearer], minlength=1797), expected)


def test_the_graph_is_symmetric_with_ten_neighbours_or_more(graph):
    assert graph.adjacency.symmetric
    assert int((graph.adjacency.rowptr.diff() - 1).min()) >= 10


def test_a_tie_goes_to_the_nearer_index():
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]], dtype=torch.float64)
    edges = set(map(tuple, nearest_neighbours(corners, 1).T.tolist()))
    assert edges == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1)}


def test_the_global_generators_are_left_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    GraphDataModule("digits").setup()
    assert torch.equal(torch.get_rng_state(), state)
