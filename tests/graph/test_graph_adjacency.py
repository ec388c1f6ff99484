"""The record of a graph against its dense matrix, worked out entry by entry."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import graphs, normal, ring_with_chords, seeds

from qgnn_lightning.graph import Adjacency, aggregate

kinds = st.tuples(st.booleans(), st.booleans()).flatmap(
    lambda kind: graphs(weighted=kind[0], directed=kind[1])
)


@given(kinds)
def test_entries_are_those_of_the_dense_matrix(graph):
    adjacency, dense = graph.adjacency(), graph.dense()
    row, col = dense.nonzero(as_tuple=True)  # sorted by row, then by column
    assert torch.equal(adjacency.row, row)
    assert torch.equal(adjacency.col, col)
    if graph.weights is None:
        assert adjacency.value is None
    else:
        torch.testing.assert_close(adjacency.value, dense[row, col], rtol=0, atol=0)
    assert adjacency.num_edges == adjacency.col.numel() == row.numel()
    assert adjacency.num_nodes == graph.num_nodes
    assert adjacency.max_count == dense.count_nonzero(1).max()


@given(kinds)
def test_degrees_are_row_sums(graph):
    adjacency, degree = graph.adjacency(), graph.dense().sum(1)
    assert torch.equal(adjacency.degree, degree)
    torch.testing.assert_close(adjacency.inv_degree, 1 / degree[:, None])
    torch.testing.assert_close(adjacency.sqrt_degree, degree[:, None].sqrt())
    torch.testing.assert_close(adjacency.inv_sqrt_degree, degree[:, None] ** -0.5)


@given(kinds)
def test_symmetry_is_recognised(graph):
    dense = graph.dense()
    assert graph.adjacency().symmetric == torch.equal(dense, dense.t())


@given(kinds)
def test_transpose(graph):
    adjacency, dense = graph.adjacency(), graph.dense()
    transposed = adjacency.transposed
    assert torch.equal(transposed.matrix(torch.float64).to_dense(), dense.t())
    assert torch.equal(transposed.degree, dense.sum(0))
    assert (transposed is adjacency) == adjacency.symmetric
    assert torch.equal(transposed.transposed.matrix(torch.float64).to_dense(), dense)


@given(kinds, seeds)
def test_aggregate_is_the_dense_product_in_float64(graph, seed):
    x = normal(seed, graph.num_nodes, 3)
    torch.testing.assert_close(
        aggregate(graph.adjacency(), x), graph.dense() @ x, rtol=1e-14, atol=1e-14
    )


@given(graphs(weighted=True, directed=True), seeds)
def test_aggregate_of_whole_numbers_is_exact_in_float32(graph, seed):
    x = (1000 * normal(seed, graph.num_nodes, 3)).round()
    expected = graph.dense() @ x  # the weights are eighths: exact as well
    assert torch.equal(aggregate(graph.adjacency(torch.float32), x.float()).double(), expected)


@given(kinds, seeds)
def test_aggregate_has_the_gradient_of_the_dense_product(graph, seed):
    adjacency = graph.adjacency()
    x = normal(seed, graph.num_nodes, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: aggregate(adjacency, t), (x,))
    assert torch.autograd.gradgradcheck(lambda t: aggregate(adjacency, t), (x,))
    weight = normal(seed + 1, graph.num_nodes, 2)
    (gradient,) = torch.autograd.grad((aggregate(adjacency, x) * weight).sum(), x)
    torch.testing.assert_close(gradient, graph.dense().t() @ weight)


@pytest.mark.parametrize("directed", [False, True])
def test_float32_and_float64_agree(directed):
    graph = ring_with_chords(40)
    edges = graph.edge_index[:, : 40 if directed else None]
    adjacency = Adjacency.from_edge_index(edges, 40)
    x = normal(0, 40, 5, dtype=torch.float32).requires_grad_()
    doubled = x.detach().double().requires_grad_()
    single, double = aggregate(adjacency, x), aggregate(adjacency, doubled)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5)
    single.square().sum().backward()
    double.square().sum().backward()
    torch.testing.assert_close(x.grad.double(), doubled.grad, rtol=1e-5, atol=1e-4)


def test_row_is_the_target_and_column_the_source():
    adjacency = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)
    received = aggregate(adjacency, torch.tensor([[10.0], [1.0]]))
    assert received.tolist() == [[10], [11]]


def test_duplicates_count_once_and_their_weights_are_added():
    edges = torch.tensor([[0, 0, 0], [1, 1, 1]])
    assert Adjacency.from_edge_index(edges, 2).degree.tolist() == [1, 2]
    weighted = Adjacency.from_edge_index(edges, 2, torch.tensor([0.5, 1.0, 2.0]))
    assert weighted.degree.tolist() == [1, 4.5]


def test_self_loops_are_replaced_by_one_of_weight_one():
    edges = torch.tensor([[0, 0, 1], [0, 0, 0]])
    assert Adjacency.from_edge_index(edges, 2).degree.tolist() == [2, 1]
    weighted = Adjacency.from_edge_index(edges, 2, torch.tensor([7.0, 9.0, 0.5]))
    assert weighted.degree.tolist() == [1.5, 1]


@given(kinds, seeds)
def test_order_of_the_edges_does_not_matter(graph, seed):
    order = normal(seed, len(graph.edges)).argsort()
    weight = graph.edge_weight
    shuffled = Adjacency.from_edge_index(
        graph.edge_index[:, order],
        graph.num_nodes,
        None if weight is None else weight[order],
        dtype=torch.float64,
    )
    original = graph.adjacency()
    assert torch.equal(shuffled.rowptr, original.rowptr)
    assert torch.equal(shuffled.col, original.col)
    assert torch.equal(shuffled.degree, original.degree)


@pytest.mark.parametrize("num_nodes", [0, 1, 4])
def test_graphs_without_edges(num_nodes):
    adjacency = Adjacency.from_edge_index(torch.empty(2, 0, dtype=torch.long), num_nodes)
    x = torch.randn(num_nodes, 3)
    assert torch.equal(aggregate(adjacency, x), x)
    assert adjacency.num_edges == num_nodes
    assert adjacency.max_count == min(num_nodes, 1)
    assert adjacency.symmetric


def test_no_features():
    assert aggregate(ring_with_chords(5).adjacency(torch.float32), torch.zeros(5, 0)).shape == (
        5,
        0,
    )


def test_copies_to_another_type():
    adjacency = ring_with_chords(6).adjacency(torch.float32)
    assert adjacency.to(torch.float32) is adjacency
    double = adjacency.double()
    assert double.degree.dtype == torch.float64
    assert double.inv_sqrt_degree.dtype == torch.float64
    assert double.col.dtype == adjacency.col.dtype == torch.int64
    weighted = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2, torch.tensor([0.5]))
    assert weighted.double().value.dtype == torch.float64


_INTEGERS = [getattr(torch, f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("dtype", _INTEGERS)
def test_any_integers_give_the_same_graph(dtype):
    edges = ring_with_chords(9).edge_index
    left, right = (Adjacency.from_edge_index(e, 1000) for e in (edges, edges.to(dtype)))
    assert torch.equal(left.col, right.col)
    assert right.col.dtype == torch.int64


_EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])
_STAR = torch.tensor([[0, 2, 1, 2], [2, 0, 2, 1]])


@pytest.mark.parametrize(
    ("edge_index", "edge_weight", "message"),
    [
        (torch.zeros(3, 2).long(), None, "edge_index must have shape (2, num_edges), got (3, 2)"),
        (torch.zeros(4).long(), None, "edge_index must have shape (2, num_edges), got (4,)"),
        (_EDGES.float(), None, "edge_index must hold integers, got torch.float32"),
        (_EDGES.bool(), None, "edge_index must hold integers, got torch.bool"),
        (_EDGES + 1, None, "edge_index must lie in [0, 3), got [2, 3] at position 1"),
        (_EDGES - 1, None, "edge_index must lie in [0, 3), got [-1, 0] at position 0"),
        ((_EDGES - 1).to(torch.uint64), None, "edge_index must lie in [0, 3), got [-1, 0] at"),
        (_EDGES, torch.ones(2), "edge_weight must have one value per edge (3), got shape (2,)"),
        (_EDGES, torch.ones(3, 1), "one value per edge (3), got shape (3, 1)"),
        (_EDGES, torch.tensor([1.0, 0.0, 1.0]), "edge_weight must be positive and finite"),
        (_EDGES, torch.tensor([1.0, -1.0, 1.0]), "edge_weight must be positive and finite"),
        (_EDGES, torch.tensor([1.0, torch.nan, 1.0]), "edge_weight must be positive and finite"),
        (_EDGES, torch.tensor([1.0, torch.inf, 1.0]), "edge_weight must be positive and finite"),
        (_STAR, torch.full((4,), 3e38), "finite sums at every node in torch.float32, got"),
        (_STAR, torch.full((4,), 1e300, dtype=torch.float64), "got weights of up to inf"),
    ],
)
def test_what_is_wrong_with_the_edges_is_said(edge_index, edge_weight, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Adjacency.from_edge_index(edge_index, 3, edge_weight)


def test_arrays_in_the_place_of_tensors_are_named():
    edges, weights = torch.tensor([[0, 1], [1, 0]]), torch.ones(2)
    with pytest.raises(
        TypeError, match=r"edge_index must be a torch.Tensor, got numpy.ndarray: to"
    ):
        Adjacency.from_edge_index(edges.numpy(), 2)
    with pytest.raises(TypeError, match=r"edge_weight must be a torch.Tensor, got numpy.ndarray"):
        Adjacency.from_edge_index(edges, 2, weights.numpy())
