"""Elastic message passing against dense matrices and the minimum of its objective."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import RandomGraph, graphs, normal, ring_with_chords, seeds
from torch import Tensor

from qgnn_lightning.nn import ElasticPropagation, PersonalizedPropagation
from qgnn_lightning.nn._direct_messages import DirectMessages
from qgnn_lightning.nn._elastic import Incidence, clip_rows
from qgnn_lightning.nn._messages import identity_quantizers

GRAPH = ring_with_chords(13)
X = normal(0, 13, 3)


def dense_incidence(graph: RandomGraph) -> Tensor:
    """One row per undirected edge, entry by entry."""
    adjacency = graph.dense()
    degree = adjacency.sum(1)
    rows = []
    for i in range(graph.num_nodes):
        for j in range(i):
            if adjacency[i, j] > 0:
                row = torch.zeros(graph.num_nodes, dtype=torch.float64)
                row[i] = (adjacency[i, j] / degree[i]).sqrt()
                row[j] = -((adjacency[i, j] / degree[j]).sqrt())
                rows.append(row)
    return torch.stack(rows) if rows else torch.zeros(0, graph.num_nodes, dtype=torch.float64)


def objective(h: Tensor, sparsity: float, smoothing: float) -> Tensor:
    jumps = (dense_incidence(GRAPH) @ h).norm(dim=1).sum()
    energy = (h.t() @ GRAPH.laplacian() @ h).trace()
    return sparsity * jumps + smoothing / 2 * energy + (h - X).square().sum() / 2


@given(graphs(weighted=True), seeds)
def test_incidence_is_a_root_of_the_laplacian(graph, seed):
    incidence, dense = Incidence.of(graph.adjacency()), dense_incidence(graph)
    h = normal(seed, graph.num_nodes, 2)
    torch.testing.assert_close(
        incidence.divergence(incidence.differences(h)), graph.laplacian() @ h
    )
    torch.testing.assert_close(dense.t() @ dense, graph.laplacian())
    assert incidence.differences(h).shape == (len(dense), 2)
    # The same differences, in whatever order of the edges.
    torch.testing.assert_close(
        incidence.differences(h).norm(dim=1).sort().values, (dense @ h).norm(dim=1).sort().values
    )


@given(seeds, st.floats(0.01, 5))
def test_clip_is_the_projection_on_the_ball(seed, largest):
    z = 3 * normal(seed, 6, 3)
    clipped = clip_rows(z, largest)
    assert (clipped.norm(dim=1) <= largest * (1 + 1e-12)).all()
    for row, result in zip(z, clipped, strict=True):
        torch.testing.assert_close(result, row * min(1.0, largest / row.norm().item()))
        # Nothing else in the ball is nearer.
        other = 0.999 * result + 0.001 * normal(seed + 1, 3)
        if other.norm() <= largest:
            assert (other - row).norm() >= (result - row).norm() - 1e-12
    assert torch.equal(clip_rows(torch.zeros(2, 3), largest), torch.zeros(2, 3))


@pytest.mark.parametrize(("sparsity", "smoothing"), [(0.2, 1.0), (3.0, 3.0), (0.5, 0.0)])
def test_steps_are_those_of_the_dense_primal_dual_method(sparsity, smoothing):
    """Gradient step, prediction, proximal step of the dual by Moreau's identity, correction."""
    incidence, laplacian = dense_incidence(GRAPH), GRAPH.laplacian()
    gamma = 1 / (1 + smoothing)
    beta = 1 / (2 * gamma)
    h, z = X, torch.zeros(len(incidence), 3, dtype=torch.float64)
    for found in ElasticPropagation(5, sparsity, smoothing).steps(X, GRAPH.adjacency()):
        point = h.clone().requires_grad_()
        smooth = smoothing / 2 * (point.t() @ laplacian @ point).trace()
        (gradient,) = torch.autograd.grad(smooth + (point - X).square().sum() / 2, point)
        y = h - gamma * gradient
        z_bar = z + beta * incidence @ (y - gamma * incidence.t() @ z)
        # prox of the conjugate: z - beta * prox_{l21 / beta}(z / beta), block soft thresholding.
        scaled = z_bar / beta
        shrunk = scaled * (1 - sparsity / beta / scaled.norm(dim=1, keepdim=True)).clamp(min=0)
        z = z_bar - beta * shrunk
        h = y - gamma * incidence.t() @ z
        torch.testing.assert_close(found, h)


@pytest.mark.parametrize(("sparsity", "smoothing"), [(0.2, 1.0), (0.05, 0.0), (1.0, 3.0)])
def test_many_steps_reach_the_minimum_of_the_objective(sparsity, smoothing):
    found = ElasticPropagation(1000, sparsity, smoothing)(X, GRAPH.adjacency())
    # Independently: projected gradient ascent on the dual, with the primal solved exactly.
    incidence = dense_incidence(GRAPH)
    inverse = torch.linalg.inv(torch.eye(13).double() + smoothing * GRAPH.laplacian())
    z = torch.zeros(len(incidence), 3, dtype=torch.float64)
    for _ in range(4000):
        z = z + 0.5 * incidence @ inverse @ (X - incidence.t() @ z)
        z = z * (sparsity / z.norm(dim=1, keepdim=True).clamp(min=sparsity))
    expected = inverse @ (X - incidence.t() @ z)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    least = objective(found, sparsity, smoothing)
    for seed in range(20):
        nearby = found + 0.01 * normal(seed, 13, 3)
        assert objective(nearby, sparsity, smoothing) > least


def test_the_norm_makes_some_differences_vanish_and_keeps_others():
    x = X[:, :1]
    h = ElasticPropagation(1000, sparsity=0.7, smoothing=0.0)(x, GRAPH.adjacency())
    jumps = (dense_incidence(GRAPH) @ h).norm(dim=1)
    assert (jumps < 1e-6).any()
    assert (jumps > 1e-2).any()


@given(graphs(), seeds, st.floats(0.1, 9))
def test_without_the_norm_it_is_a_personalised_propagation(graph, seed, smoothing):
    x = normal(seed, graph.num_nodes, 2)
    elastic = ElasticPropagation(4, sparsity=0.0, smoothing=smoothing)
    messages = DirectMessages(identity_quantizers(4))
    personalized = PersonalizedPropagation(messages, restart=1 / (1 + smoothing)).double()
    torch.testing.assert_close(elastic(x, graph.adjacency()), personalized(x, graph.adjacency()))


def test_gradients():
    x = normal(4, 13, 2).requires_grad_()
    propagation = ElasticPropagation(3, sparsity=0.3, smoothing=1.0)
    adjacency = GRAPH.adjacency()
    assert torch.autograd.gradcheck(lambda x: propagation(x, adjacency), x)


def test_takes_an_edge_index_and_an_isolated_node():
    graph = RandomGraph(((0, 1), (1, 0)), 3)
    h = ElasticPropagation(3)(normal(1, 3, 2), graph.edge_index)
    torch.testing.assert_close(h[2], normal(1, 3, 2)[2])


def test_a_directed_graph_is_refused():
    with pytest.raises(ValueError, match="adjacency must be symmetric"):
        ElasticPropagation(2)(X[:2], torch.tensor([[0], [1]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"num_steps": 1, "sparsity": -1.0}, "sparsity must be at least 0, got -1.0"),
        ({"num_steps": 1, "smoothing": -1.0}, "smoothing must be at least 0, got -1.0"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        ElasticPropagation(**options)
