"""Laws of every propagation: limits, exact powers, invariance, and memory linear in the graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from propagations import calibrated, constrained, delta_sigma, direct
from random_graphs import RandomGraph, graphs, normal, ring_with_chords, seeds
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import (
    PersonalizedPropagation,
    PowerPropagation,
    Propagation,
    ReleasedCodePropagation,
    UnrolledMultiplierPropagation,
)

undirected = st.booleans().flatmap(lambda weighted: graphs(weighted=weighted))
both_messages = pytest.mark.parametrize("messages", [direct, delta_sigma])
ALL = {
    "personalized": PersonalizedPropagation,
    "powers": PowerPropagation,
    "smoothness_aware": constrained,
    "corrected": lambda messages: constrained(messages, [0.7] * len(messages.quantizers)),
    "unrolled_multiplier": lambda m: constrained(m, make=UnrolledMultiplierPropagation),
    "released_code": lambda m: constrained(m, make=ReleasedCodePropagation),
}
every_propagation = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@both_messages
@given(graph=undirected, seed=seeds, restart=st.floats(0.05, 1), num_steps=st.integers(1, 40))
def test_personalized_approaches_its_limit_geometrically(messages, graph, seed, restart, num_steps):
    x, identity = normal(seed, graph.num_nodes, 2), torch.eye(graph.num_nodes).double()
    limit = restart * torch.linalg.solve(identity - (1 - restart) * graph.normalized(), x)
    h = PersonalizedPropagation(messages(num_steps), restart)(x, graph.adjacency())
    rate = (1 - restart) ** num_steps  # the spectral radius of Â is 1
    assert (h - limit).norm() <= rate * (x - limit).norm() + 1e-12 * (1 + x.norm())


@both_messages
def test_many_steps_reach_the_limit(messages):
    graph = ring_with_chords(20)
    x, identity = normal(0, 20, 3), torch.eye(20).double()
    limit = 0.1 * torch.linalg.solve(identity - 0.9 * graph.normalized(), x)
    close(PersonalizedPropagation(messages(400), 0.1)(x, graph.adjacency()), limit)
    smooth = torch.linalg.solve(identity + 9 * graph.laplacian(), x)
    close(constrained(messages(400))(x, graph.adjacency()), smooth)


@both_messages
@given(graph=undirected, seed=seeds, num_steps=st.integers(1, 12))
def test_powers_are_matrix_powers(messages, graph, seed, num_steps):
    x = normal(seed, graph.num_nodes, 2)
    expected = torch.linalg.matrix_power(graph.normalized(), num_steps) @ x
    close(PowerPropagation(messages(num_steps))(x, graph.adjacency()), expected)


@given(undirected, seeds)
def test_restart_of_one_returns_the_input(graph, seed):
    x = normal(seed, graph.num_nodes, 2)
    close(PersonalizedPropagation(direct(5), 1.0)(x, graph.adjacency()), x)


@both_messages
@given(graph=undirected, seed=seeds)
def test_smoothing_nine_and_step_one_tenth_are_a_restart_of_one_tenth(messages, graph, seed):
    x = normal(seed, graph.num_nodes, 2)
    expected = PersonalizedPropagation(messages(6), 0.1)(x, graph.adjacency())
    close(constrained(messages(6))(x, graph.adjacency()), expected)


@pytest.mark.parametrize("restart", [0.0, -0.1, 1.01])
def test_restart_outside_its_range(restart):
    with pytest.raises(ValueError, match=rf"restart must be in \(0, 1\], got {restart}"):
        PersonalizedPropagation(direct(1), restart)


@every_propagation
@pytest.mark.parametrize(("messages", "num_bits"), [(direct, 4), (delta_sigma, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_steps_in_either_type(make, messages, num_bits, dtype):
    adjacency = ring_with_chords(10).adjacency(dtype)
    x = normal(0, 10, 3, dtype=dtype)
    propagation = make(messages(128, num_bits))
    assert propagation.num_steps == 128
    h = calibrated(propagation, x, adjacency, fraction=1.0)(x, adjacency)
    assert h.dtype == dtype
    assert h.isfinite().all()
    assert h.norm() < 10 * x.norm()


@every_propagation
@pytest.mark.parametrize(("messages", "num_bits"), [(direct, 4), (delta_sigma, 2), (direct, 32)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_edges_and_record_give_the_same(make, messages, num_bits, dtype):
    graph, x = ring_with_chords(10), normal(0, 10, 3, dtype=dtype)
    propagation = calibrated(make(messages(3, num_bits)), x, graph.adjacency(dtype))
    by_record = propagation(x, graph.adjacency(dtype))
    assert torch.equal(propagation(x, graph.edge_index), by_record)


def permuted(graph: RandomGraph, order: Tensor) -> RandomGraph:
    """Node ``order[i]`` of the graph is node ``i`` of the new one."""
    new = order.argsort().tolist()
    edges = tuple((new[source], new[target]) for source, target in graph.edges)
    return RandomGraph(edges, graph.num_nodes, graph.weights)


@every_propagation
@pytest.mark.parametrize("messages", [direct, delta_sigma])
@given(graph=undirected, seed=seeds)
def test_names_of_the_nodes_do_not_matter(make, messages, graph, seed):
    x, order = normal(seed, graph.num_nodes, 2), normal(seed + 1, graph.num_nodes).argsort()
    propagation = make(messages(4)).double()
    original = propagation(x, graph.adjacency())
    close(propagation(x[order], permuted(graph, order).adjacency()), original[order])


@pytest.mark.parametrize("make", [ALL[name] for name in ("personalized", "powers", "corrected")])
@pytest.mark.parametrize("num_bits", [2, 8])
@pytest.mark.parametrize("messages", [direct, lambda k, b: delta_sigma(k, b, 16)])
def test_names_of_the_nodes_do_not_change_a_bit_of_quantized_inference(make, messages, num_bits):
    """Sums of codes are exact in any order, and everything else happens node by node."""
    graph, x = ring_with_chords(37), normal(0, 37, 5, dtype=torch.float32)
    order = torch.randperm(37)
    propagation = calibrated(make(messages(4, num_bits)).float(), x, graph.adjacency(torch.float32))
    original = propagation(x, graph.edge_index)
    assert torch.equal(propagation(x[order], permuted(graph, order).edge_index), original[order])


@every_propagation
@pytest.mark.parametrize("messages", [direct, delta_sigma])
def test_isolated_nodes_do_not_touch_the_others(make, messages):
    graph = ring_with_chords(8)
    x = normal(0, 11, 2)
    propagation = make(messages(4)).double()
    with_isolated = Adjacency.from_edge_index(graph.edge_index, 11, dtype=torch.float64)
    h = propagation(x, with_isolated)
    if not isinstance(propagation, UnrolledMultiplierPropagation | ReleasedCodePropagation):
        # Their multiplier is one for the whole graph, and so are these nodes' edges in its budget.
        close(h[:8], propagation(x[:8], graph.adjacency()))
        close(h[8:], x[8:])
    assert h.isfinite().all()


@every_propagation
@pytest.mark.parametrize(("messages", "num_bits"), [(direct, 32), (direct, 4), (delta_sigma, 2)])
def test_single_node(make, messages, num_bits):
    x = normal(0, 1, 3)
    adjacency = RandomGraph((), 1).adjacency()
    h = calibrated(make(messages(3, num_bits)), x, adjacency, fraction=1.0)(x, adjacency)
    assert h.shape == (1, 3)
    assert h.isfinite().all()
    if num_bits == 32 and make != ALL["released_code"]:
        close(h, x)


class LargestTensor(TorchDispatchMode):
    """Notes how many elements the largest tensor has that any operation stores."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else (result,):
            if isinstance(part, Tensor) and part.layout == torch.strided:
                self.largest = max(self.largest, part.untyped_storage().nbytes())
        return result


@every_propagation
@pytest.mark.parametrize(("messages", "num_bits"), [(direct, 2), (delta_sigma, 2), (direct, 32)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_is_linear_in_the_graph(make, messages, num_bits, dtype):
    num_nodes = 20_000
    nodes = torch.arange(num_nodes)
    edges = torch.stack([nodes, (nodes + 1) % num_nodes])
    x = normal(0, num_nodes, 2, dtype=dtype).requires_grad_()
    propagation: Propagation = make(messages(2, num_bits)).to(dtype)
    with LargestTensor() as seen:
        propagation(x, torch.cat([edges, edges.flip(0)], dim=1)).sum().backward()
    num_edges = 3 * num_nodes
    # The largest is a list of the edges in int64, or of a few (features x edges) in floating point.
    assert 0 < seen.largest <= 8 * 4 * num_edges


@every_propagation
def test_gradient_of_the_input_is_that_of_finite_differences(make):
    graph, x = ring_with_chords(5), normal(0, 5, 2).requires_grad_()
    for messages in (direct, delta_sigma):
        propagation = make(messages(3)).double()
        assert torch.autograd.gradcheck(lambda t, p=propagation: p(t, graph.adjacency()), (x,))
