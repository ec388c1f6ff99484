"""Normalised operators and measures of smoothness, against dense algebra and double loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import graphs, normal, ring_with_chords, seeds

from qgnn_lightning.graph import (
    Adjacency,
    dirichlet_energy,
    mean_average_distance,
    propagate,
    random_walk,
    symmetric_laplacian,
)

undirected = st.booleans().flatmap(lambda weighted: graphs(weighted=weighted))
any_graph = st.tuples(st.booleans(), st.booleans()).flatmap(
    lambda kind: graphs(weighted=kind[0], directed=kind[1])
)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@given(any_graph, seeds)
def test_operators_are_the_dense_ones(graph, seed):
    adjacency, h = graph.adjacency(), normal(seed, graph.num_nodes, 3)
    close(propagate(adjacency, h), graph.normalized() @ h)
    close(symmetric_laplacian(adjacency, h), graph.laplacian() @ h)
    dense = graph.dense()
    close(random_walk(adjacency, h), dense @ h / dense.sum(1, keepdim=True))


@given(any_graph, seeds)
def test_operators_have_the_gradients_that_finite_differences_give(graph, seed):
    adjacency = graph.adjacency()
    h = normal(seed, graph.num_nodes, 2).requires_grad_()
    for operator in (propagate, random_walk, symmetric_laplacian):
        assert torch.autograd.gradcheck(lambda t, f=operator: f(adjacency, t), (h,))


@given(any_graph, seeds)
def test_random_walk_is_the_propagation_in_another_basis(graph, seed):
    adjacency, h = graph.adjacency(), normal(seed, graph.num_nodes, 3)
    z = h * adjacency.inv_sqrt_degree
    close(random_walk(adjacency, z) * adjacency.sqrt_degree, propagate(adjacency, h))


@given(any_graph)
def test_means_keep_constants(graph):
    ones = torch.ones(graph.num_nodes, 1, dtype=torch.float64)
    close(random_walk(graph.adjacency(), ones), ones)


@given(undirected)
def test_spectrum_of_the_laplacian_lies_in_zero_to_two(graph):
    identity = torch.eye(graph.num_nodes, dtype=torch.float64)
    eigenvalues = torch.linalg.eigvalsh(symmetric_laplacian(graph.adjacency(), identity))
    assert eigenvalues.min() == pytest.approx(0, abs=1e-12)
    assert eigenvalues.max() < 2 - 1e-9


def explicit_energy(graph, h: torch.Tensor, normalization: str) -> float:
    dense = graph.dense()
    degree = dense.sum(1)
    total = 0.0
    for i in range(graph.num_nodes):
        for j in range(graph.num_nodes):
            if normalization == "symmetric":
                difference = h[i] / degree[i].sqrt() - h[j] / degree[j].sqrt()
                total += 0.5 * (dense[i, j] * difference.square().sum()).item()
            else:
                squared = (h[i] - h[j]).square().sum()
                total += (dense[i, j] * squared).item() / graph.num_nodes
    return total


@pytest.mark.parametrize("normalization", ["symmetric", "mean_square"])
@given(graph=undirected, seed=seeds)
def test_dirichlet_energy_is_the_sum_over_the_edges(normalization, graph, seed):
    h = normal(seed, graph.num_nodes, 2)
    actual = dirichlet_energy(graph.adjacency(), h, normalization).item()
    assert math.isclose(
        actual, explicit_energy(graph, h, normalization), rel_tol=1e-10, abs_tol=1e-12
    )


def test_energies_vanish_exactly_where_they_should():
    graph = ring_with_chords(8)
    adjacency = graph.adjacency()
    ones = torch.ones(8, 2, dtype=torch.float64)
    assert dirichlet_energy(adjacency, ones, "mean_square") == 0
    assert dirichlet_energy(adjacency, ones) > 1e-3
    smooth = ones * adjacency.sqrt_degree
    assert abs(dirichlet_energy(adjacency, smooth)) < 1e-13
    assert dirichlet_energy(adjacency, smooth, "mean_square") > 1e-3


@given(undirected, seeds)
def test_energy_has_the_gradient_two_l_h(graph, seed):
    adjacency, h = graph.adjacency(), normal(seed, graph.num_nodes, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(dirichlet_energy(adjacency, h), h)
    close(gradient, 2 * graph.laplacian() @ h.detach())


def explicit_distance(graph, h: torch.Tensor) -> float:
    dense = graph.dense()
    means = []
    for i in range(graph.num_nodes):
        distances = []
        for j in range(graph.num_nodes):
            if i == j or dense[i, j] == 0:
                continue
            norms = h[i].norm() * h[j].norm()
            distances.append(1.0 if norms == 0 else 1 - (h[i] @ h[j] / norms).item())
        if distances:
            means.append(sum(distances) / len(distances))
    return sum(means) / len(means) if means else 0.0


@given(any_graph, seeds, st.booleans())
def test_mean_average_distance_is_the_mean_over_the_neighbours(graph, seed, with_a_zero_vector):
    h = normal(seed, graph.num_nodes, 3)
    if with_a_zero_vector:
        h[0] = 0
    expected = explicit_distance(graph, h)
    actual = mean_average_distance(graph.adjacency(), h).item()
    assert math.isclose(actual, expected, rel_tol=1e-10, abs_tol=1e-12)
    assert -1e-12 <= actual <= 2 + 1e-12


def test_distance_does_not_see_lengths_and_is_zero_where_all_are_parallel():
    adjacency = ring_with_chords(7).adjacency()
    lengths = torch.arange(1.0, 8.0, dtype=torch.float64)[:, None]
    assert abs(mean_average_distance(adjacency, lengths * torch.ones(1, 3).double())) < 1e-14
    h = normal(0, 7, 3)
    close(mean_average_distance(adjacency, lengths * h), mean_average_distance(adjacency, h))


def test_distance_of_a_graph_without_edges_is_zero():
    adjacency = Adjacency.from_edge_index(torch.empty(2, 0, dtype=torch.long), 3)
    assert mean_average_distance(adjacency, torch.randn(3, 2)) == 0
