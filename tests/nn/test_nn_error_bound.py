"""The bounds on the quantization error hold in every step, in their order, and one is attained."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from propagations import calibrated, constrained, delta_sigma, direct
from random_graphs import RandomGraph, graphs, normal, ring_with_chords, seeds
from torch import Tensor

from qgnn_lightning.nn import (
    DirectMessages,
    PersonalizedPropagation,
    PowerPropagation,
    Recurrence,
    UnrolledMultiplierPropagation,
    contraction,
    error_bound,
    exact_steps,
)
from qgnn_lightning.quantization import MinMaxQuantizer

undirected = st.booleans().flatmap(lambda weighted: graphs(weighted=weighted))
kinds = st.sampled_from(["direct", "exact residual", 8, 16])


def messages_of(kind: str | int, num_steps: int, num_bits: int):
    if kind == "direct":
        return direct(num_steps, num_bits)
    return delta_sigma(num_steps, num_bits, None if kind == "exact residual" else kind)


def assert_ordered(bound, magnitude: Tensor) -> None:
    slack = 1e-11 * (1 + magnitude.norm().item())  # of the float64 steps themselves
    levels = [bound.measured, bound.sharp, bound.a_posteriori, bound.a_priori]
    for lower, upper in pairwise(levels):
        assert (lower <= upper * (1 + 1e-11) + slack).all(), bound


@given(
    graph=undirected,
    seed=seeds,
    kind=kinds,
    num_bits=st.integers(1, 8),
    num_steps=st.integers(1, 5),
    smoothing=st.floats(0, 9),
    share=st.floats(0.01, 1),
    multipliers=st.lists(st.sampled_from([0.0, 0.2, 0.7, 1.0]), min_size=5, max_size=5),
    fraction=st.sampled_from([0.1, 0.7183, 1.0]),
)
def test_measured_sharp_a_posteriori_a_priori(
    graph, seed, kind, num_bits, num_steps, smoothing, share, multipliers, fraction
):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    eta = share * 2 / (1 + 2 * smoothing)
    strengths = [value / (4 * eta) for value in multipliers[:num_steps]]
    propagation = constrained(
        messages_of(kind, num_steps, num_bits), strengths, smoothing=smoothing, step_size=eta
    )
    calibrated(propagation, x, adjacency, fraction)
    bound = error_bound(propagation, x, adjacency)
    assert bound.measured.shape == bound.a_priori.shape == (num_steps,)
    assert_ordered(bound, x)


@pytest.mark.parametrize("kind", ["direct", "exact residual", 8, 16])
@given(graph=undirected, seed=seeds, num_bits=st.integers(1, 8))
def test_without_constraints(kind, graph, seed, num_bits):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    for make in (PersonalizedPropagation, PowerPropagation):
        propagation = calibrated(make(messages_of(kind, 4, num_bits)), x, adjacency)
        assert_ordered(error_bound(propagation, x, adjacency), x)


@given(undirected, seeds, st.lists(st.floats(0, 2.5), min_size=3, max_size=3))
def test_measured_is_the_distance_to_full_precision(graph, seed, strengths):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    quantized = calibrated(constrained(delta_sigma(3, 2), strengths), x, adjacency)
    full = constrained(direct(3), strengths)
    bound = error_bound(quantized, x, adjacency)
    exact = exact_steps(full.recurrence, full.correction_strengths(), x, adjacency)
    both = zip(full.steps(x, adjacency), quantized.steps(x, adjacency), exact, strict=True)
    for k, (step, rounded, h) in enumerate(both):
        expected = step.after.representation() * adjacency.sqrt_degree
        torch.testing.assert_close(h, expected, rtol=1e-11, atol=1e-12)
        actual = rounded.after.representation() * adjacency.sqrt_degree
        torch.testing.assert_close(bound.measured[k], (actual - expected).norm())


@given(
    graph=undirected,
    seed=seeds,
    kind=st.sampled_from(["direct", "exact residual"]),
    smoothing=st.floats(0, 9),
    multipliers=st.lists(st.sampled_from([0.0, 0.2, 0.7, 1.0]), min_size=4, max_size=4),
)
def test_sharp_bound_from_dense_matrices(graph, seed, kind, smoothing, multipliers):
    """What each step adds explains the error exactly; its norm after one more step bounds it."""
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    eta = 1 / (1 + 2 * smoothing)
    propagation = constrained(
        messages_of(kind, 4, 2),
        [value / (4 * eta) for value in multipliers],
        smoothing=smoothing,
        step_size=eta,
    )
    calibrated(propagation, x, adjacency, 0.7183)
    bound = error_bound(propagation, x, adjacency)
    recurrence, strengths = propagation.recurrence, propagation.correction_strengths()
    a_hat, laplacian, identity = (
        graph.normalized(),
        graph.laplacian(),
        torch.eye(graph.num_nodes, dtype=torch.float64),
    )
    error, sharp, added = torch.zeros_like(x), torch.zeros(()).double(), torch.zeros_like(x)
    for k, (step, c) in enumerate(zip(propagation.steps(x, adjacency), strengths, strict=True)):
        correct = identity - c * laplacian
        transition = correct @ (recurrence.keep * identity + recurrence.neighbours * a_hat)
        transition = transition + c * laplacian
        sharp = contraction(recurrence, c) * sharp + (transition @ added).norm()
        unknown = step.message_error * adjacency.sqrt_degree
        added = -recurrence.neighbours * correct @ a_hat @ unknown
        if step.proposal_error is not None:
            added = added - c * a_hat @ (step.proposal_error * adjacency.sqrt_degree)
        error = transition @ error + added
        slack = 1e-10 * (1 + x.norm().item())
        assert bound.measured[k].item() == pytest.approx(error.norm().item(), abs=slack)
        expected = sharp + added.norm()
        assert bound.sharp[k].item() == pytest.approx(expected.item(), rel=1e-10, abs=slack)


def test_full_precision_has_no_error():
    graph = ring_with_chords(9)
    x, adjacency = normal(0, 9, 2), graph.adjacency()
    bound = error_bound(constrained(direct(3), [0.5] * 3).eval(), x, adjacency)
    assert (bound.a_priori == 0).all()
    assert (bound.measured < 1e-13).all()


def test_sharp_bound_is_attained_where_the_error_stays_the_same():
    """Constant messages in z on a regular graph: L eps = 0, and powers of Â neither shrink it."""
    num_nodes, num_steps = 6, 4
    ring = tuple((i, (i + 1) % num_nodes) for i in range(num_nodes))
    adjacency = RandomGraph(ring + tuple((j, i) for i, j in ring), num_nodes).adjacency()
    quantizer = MinMaxQuantizer(1).double()
    quantizer(torch.tensor([0.0, 1.0]).double())
    step = PowerPropagation(DirectMessages([quantizer] + [MinMaxQuantizer(8) for _ in range(3)]))
    x = torch.full((num_nodes, 2), 0.75 * math.sqrt(3), dtype=torch.float64)  # z = 0.75 -> code 1
    for index in range(1, num_steps):
        step.messages.quantizers[index].double()(torch.ones(2).double())  # 1 is a level
    bound = error_bound(step.double().eval(), x, adjacency)
    error = 0.25 * math.sqrt(3) * math.sqrt(num_nodes * 2)
    expected = torch.full((num_steps,), error, dtype=torch.float64)
    torch.testing.assert_close(bound.measured, expected)
    torch.testing.assert_close(bound.sharp, expected)
    torch.testing.assert_close(bound.a_posteriori, expected)
    first = 0.5 * math.sqrt(2 * adjacency.num_edges)
    assert bound.a_priori[0].item() == pytest.approx(first)


@given(
    st.builds(
        Recurrence,
        keep=st.floats(-1, 1),
        neighbours=st.floats(0, 1),
        restart=st.just(0.1),
    ),
    st.floats(0, 0.5),
)
def test_contraction_is_the_maximum_over_the_spectrum(recurrence, strength):
    value = contraction(recurrence, strength)
    a, b = recurrence.keep, recurrence.neighbours
    l = torch.linspace(0, 2, 2001, dtype=torch.float64)  # noqa: E741
    sampled = ((1 - strength * l) * (a + b * (1 - l)) + strength * l).abs().max().item()
    # Between two samples the polynomial moves by at most its slope (below 6) times half a step.
    assert sampled <= value + 1e-12
    assert value <= sampled + 6 * 0.0005


def test_contraction_stretches_no_more_than_an_operator_does():
    graph = ring_with_chords(9)
    laplacian, identity = graph.laplacian(), torch.eye(9, dtype=torch.float64)
    for strength in (0.0, 0.2, 0.5):
        recurrence = Recurrence(0.0, 0.9, 0.1)
        correct = identity - strength * laplacian
        operator = correct @ (0.9 * graph.normalized()) + strength * laplacian
        norm = torch.linalg.matrix_norm(operator, 2).item()
        assert norm <= contraction(recurrence, strength) + 1e-12


def test_where_no_bound_is_known_this_is_said():
    graph = ring_with_chords(9)
    x, adjacency = normal(0, 9, 2), graph.adjacency()
    with pytest.raises(ValueError, match="propagation must be in evaluation mode"):
        error_bound(constrained(direct(2)).train(), x, adjacency)
    unrolled = constrained(direct(2), make=UnrolledMultiplierPropagation).eval()
    with pytest.raises(ValueError, match="no bound is known for this propagation"):
        error_bound(unrolled, x, adjacency)
    rounded_after = DirectMessages(*([MinMaxQuantizer(4) for _ in range(2)] for _ in range(4)))
    with pytest.raises(ValueError, match="no bound is known for this propagation and these"):
        error_bound(constrained(rounded_after).eval(), x, adjacency)
    directed = RandomGraph(((0, 1), (1, 2)), 9).adjacency()
    with pytest.raises(ValueError, match="adjacency must be symmetric"):
        error_bound(constrained(direct(2)).eval(), x, directed)
