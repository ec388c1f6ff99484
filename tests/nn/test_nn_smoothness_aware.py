"""Constrained propagations against autograd of the Lagrangian they descend on."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from propagations import LARGEST_MULTIPLIER, STEP_SIZE, calibrated, constrained, delta_sigma, direct
from random_graphs import RandomGraph, graphs, normal, ring_with_chords, seeds
from torch import Tensor

from qgnn_lightning.constraints import EdgeBudget, EnergyBudget
from qgnn_lightning.graph import Adjacency, dirichlet_energy
from qgnn_lightning.nn import (
    AffinePropagation,
    Recurrence,
    ReleasedCodePropagation,
    SmoothnessAwarePropagation,
    UnrolledMultiplierPropagation,
)

undirected = st.booleans().flatmap(lambda weighted: graphs(weighted=weighted))
lambdas = st.floats(0, LARGEST_MULTIPLIER)
coefficients = st.tuples(st.floats(0, 9), st.floats(0.01, 0.1))  # smoothing, step size


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-11)


def trace(h: Tensor, laplacian: Tensor) -> Tensor:
    """tr(H^T L H)."""
    return (h.t() @ laplacian @ h).diagonal().sum()


def gradient(function, h: Tensor) -> Tensor:
    h = h.detach().requires_grad_()
    return torch.autograd.grad(function(h), h)[0]


def objective(x: Tensor, laplacian: Tensor, smoothing: float):
    return lambda h: 0.5 * (h - x).square().sum() + smoothing / 2 * trace(h, laplacian)


@given(undirected, seeds, coefficients, st.lists(lambdas, min_size=3, max_size=3))
def test_each_step_descends_on_the_objective_then_on_the_constraint(
    graph, seed, coefficient, multipliers
):
    smoothing, eta = coefficient
    x, adjacency, laplacian = normal(seed, graph.num_nodes, 2), graph.adjacency(), graph.laplacian()
    propagation = constrained(direct(3), multipliers, smoothing=smoothing, step_size=eta)
    f, h = objective(x, laplacian, smoothing), x
    for step, multiplier in zip(propagation.steps(x, adjacency), multipliers, strict=True):
        proposed = h - eta * gradient(f, h)
        constraint = gradient(lambda t, h=h: trace(t - h, laplacian) - 0.1, proposed)
        multiplier = float(torch.tensor(multiplier))  # multipliers are stored as float32 first
        h = proposed - eta * multiplier * constraint
        close(step.after.representation() * adjacency.sqrt_degree, h)
    close(propagation(x, adjacency), h)


@given(undirected, seeds, lambdas, lambdas)
def test_energy_of_the_change_never_rises_with_the_multiplier(graph, seed, first, second):
    x, adjacency, laplacian = normal(seed, graph.num_nodes, 2), graph.adjacency(), graph.laplacian()
    energies = []
    for multiplier in sorted([first, second]):
        h = constrained(direct(2), [0.0, multiplier])(x, adjacency)
        energies.append(trace(h - constrained(direct(1))(x, adjacency), laplacian))
    assert energies[1] <= energies[0] + 1e-12 * (1 + energies[0].abs())


@given(undirected, seeds, lambdas)
def test_energy_of_the_change_falls_where_there_is_any(graph, seed, multiplier):
    """By the slowest rate that the spectrum allows; by nothing where it is 0."""
    x, adjacency, laplacian = normal(seed, graph.num_nodes, 2), graph.adjacency(), graph.laplacian()
    plain, lowered = (
        trace(constrained(direct(1), [value])(x, adjacency) - x, laplacian)
        for value in (0.0, multiplier)
    )
    eigenvalues = torch.linalg.eigvalsh(laplacian)
    positive = eigenvalues[eigenvalues > 1e-9]
    if positive.numel():
        rate = (1 - 2 * STEP_SIZE * float(torch.tensor(multiplier)) * positive.min()).square()
        assert lowered <= rate * plain + 1e-12 * (1 + plain)


def measured_violations(propagation, x: Tensor, graph: RandomGraph, limit: float) -> list[float]:
    h, result = x, []
    adjacency = graph.adjacency()
    for step in propagation.train().steps(x, adjacency):
        after = step.after.representation() * adjacency.sqrt_degree
        result.append(trace(after - h, graph.laplacian()).item() / limit - 1)
        h = after
    return result


@given(undirected, seeds, st.floats(1e-3, 1), st.sampled_from([0.0, 0.4]), st.booleans())
def test_ascent_follows_the_violation_of_the_last_training_pass(
    graph, seed, budget, multiplier, relative
):
    """Where a multiplier is 0 and stays 0, any negative violation will do."""
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    unit = EnergyBudget(budget) if relative else EdgeBudget(budget)
    propagation = SmoothnessAwarePropagation(delta_sigma(3), 9.0, STEP_SIZE, unit, 0.5).double()
    propagation.multipliers.value.fill_(multiplier)
    share = trace(x, graph.laplacian()).item() if relative else adjacency.num_edges
    assume(share > 1e-9)
    exact = measured_violations(propagation, x, graph, budget * share)
    propagation.ascend()
    old = torch.full((3,), multiplier, dtype=torch.float64)
    expected = (old + 0.5 * torch.tensor(exact, dtype=torch.float64)).clamp(0, LARGEST_MULTIPLIER)
    close(propagation.multipliers.value, expected)
    for measured, violation in zip(propagation.violation.tolist(), exact, strict=True):
        assert (measured > 0) == (violation > 0) or abs(violation) < 1e-9
        if multiplier or violation > 0:
            assert measured == pytest.approx(violation, rel=1e-9, abs=1e-11)


@given(undirected, seeds, st.lists(lambdas, min_size=3, max_size=3))
def test_what_remains_after_training_are_affine_steps_of_fixed_strength(graph, seed, multipliers):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    trained = calibrated(constrained(delta_sigma(3, 4), multipliers), x, adjacency)
    strengths = trained.correction_strengths()
    assert strengths == [2 * STEP_SIZE * value for value in trained.multipliers.value.tolist()]
    fixed = AffinePropagation(trained.recurrence, trained.messages, strengths).eval()
    assert torch.equal(fixed(x, adjacency), trained(x, adjacency))
    assert fixed.correction_strengths() == strengths


def test_every_step_has_a_strength():
    with pytest.raises(ValueError, match=r"one value per step \(3\), got 2"):
        AffinePropagation(Recurrence(0.0, 0.9, 0.1), direct(3), [0.0, 0.0])


def test_multipliers_stay_in_the_interval_of_the_law():
    propagation = constrained(direct(2), budget=1e-9, dual_step_size=1e6)
    propagation(normal(0, 9, 3, dtype=torch.float32), ring_with_chords(9).edge_index)
    propagation.ascend()
    assert propagation.multipliers.value.tolist() == [LARGEST_MULTIPLIER] * 2


def test_a_step_without_multiplier_sends_no_second_message():
    graph = ring_with_chords(9)
    x, adjacency = normal(0, 9, 2), graph.adjacency()
    for make in (direct, delta_sigma):
        propagation = calibrated(constrained(make(3, 4), [0.0, 0.5, 0.0]), x, adjacency)
        sent = [step.proposal_sent is not None for step in propagation.steps(x, adjacency)]
        assert sent == [False, True, False]


def test_quantizers_of_the_second_message_are_ready_before_the_first_correction():
    graph = ring_with_chords(9)
    x, adjacency = normal(0, 9, 2), graph.adjacency()
    for make in (direct, delta_sigma):
        propagation = calibrated(constrained(make(3, 4), [0.0] * 3), x, adjacency)
        propagation.multipliers.value.fill_(0.5)
        assert propagation(x, adjacency).isfinite().all()


def test_evaluation_measures_and_writes_nothing():
    graph = ring_with_chords(9)
    x, adjacency = normal(0, 9, 2), graph.adjacency()
    propagation = calibrated(constrained(delta_sigma(3, 4), [0.0, 0.5, 0.0]), x, adjacency)
    before = {name: value.clone() for name, value in propagation.state_dict().items()}
    violation = propagation.violation.clone()
    propagation(5 * x, adjacency)
    assert torch.equal(propagation.violation, violation)
    assert all(torch.equal(before[name], v) for name, v in propagation.state_dict().items())
    assert "multipliers.value" in before
    assert "violation" not in before


@pytest.mark.parametrize(
    ("smoothing", "step_size", "message"),
    [
        (-1.0, 0.1, "smoothing must be at least 0, got -1.0"),
        (float("nan"), 0.1, "smoothing must be at least 0, got nan"),
        (9.0, 0.0, "step_size must be in (0, 2 / (1 + 2 * smoothing)] = (0, 0.1053], got 0.0"),
        (9.0, 0.11, "= (0, 0.1053], got 0.11"),
        (0.0, 2.5, "= (0, 2], got 2.5"),
    ],
)
def test_coefficients_that_diverge_are_refused(smoothing, step_size, message):
    for make in (
        SmoothnessAwarePropagation,
        UnrolledMultiplierPropagation,
        ReleasedCodePropagation,
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            constrained(direct(1), smoothing=smoothing, step_size=step_size, make=make)


@given(undirected, seeds, coefficients)
def test_objective_never_rises_without_multipliers(graph, seed, coefficient):
    smoothing, eta = coefficient
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    f = objective(x, graph.laplacian(), smoothing)
    values = [f(x)]
    for step in (
        constrained(direct(6), smoothing=smoothing, step_size=eta).double().steps(x, adjacency)
    ):
        h = step.after.representation() * adjacency.sqrt_degree
        values.append(f(h))
    assert all(new <= old + 1e-12 * (1 + old) for old, new in pairwise(values))


def unrolled_by_autograd(
    graph: RandomGraph, x: Tensor, num_steps: int, dual_step_size: float, budget: float
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Descent on f + lambda h in embedding and slack, ascent in lambda, all by autograd."""
    laplacian, eta = graph.laplacian(), STEP_SIZE
    limit = budget * graph.adjacency().num_edges
    f, h, results = objective(x, laplacian, 9.0), x, []
    multiplier, slack = (torch.tensor(1e-3, dtype=torch.float64) for _ in range(2))
    for _ in range(num_steps):
        proposed = (h - eta * gradient(f, h)).requires_grad_()
        multiplier, slack = multiplier.requires_grad_(), slack.requires_grad_()
        constraint = limit - slack**2 - trace(proposed - h, laplacian)
        slopes = torch.autograd.grad(multiplier * constraint, [proposed, slack, multiplier])
        h = (proposed - eta * slopes[0]).detach()
        slack = (slack - 1e-5 * slopes[1]).detach()
        multiplier = (multiplier + dual_step_size * slopes[2]).detach()
        results.append(h)
    return results, multiplier, slack


@given(undirected, seeds, st.floats(1e-5, 0.5), st.floats(1e-3, 0.2))
def test_unrolled_multipliers_follow_autograd_of_the_lagrangian(
    graph, seed, dual_step_size, budget
):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    propagation = constrained(
        direct(4),
        make=UnrolledMultiplierPropagation,
        budget=budget,
        dual_step_size=dual_step_size,
    )
    expected, multiplier, slack = unrolled_by_autograd(graph, x, 4, dual_step_size, budget)
    corrections = propagation.corrections(x, adjacency)
    propagation.corrections = lambda *_: corrections
    for step, h in zip(propagation.steps(x, adjacency), expected, strict=True):
        scale = max(1.0, h.abs().max().item())
        actual = step.after.representation() * adjacency.sqrt_degree
        torch.testing.assert_close(actual, h, rtol=0, atol=1e-9 * scale)
    torch.testing.assert_close(corrections.multiplier, multiplier, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(corrections.slack, slack, rtol=1e-12, atol=1e-14)


def test_unrolled_multipliers_start_anew_in_every_pass():
    graph = ring_with_chords(9)
    x = normal(0, 9, 2)
    propagation = constrained(direct(3), make=UnrolledMultiplierPropagation, dual_step_size=1.0)
    assert torch.equal(propagation(x, graph.adjacency()), propagation(x, graph.adjacency()))
    assert not propagation.state_dict()


@given(undirected, seeds)
def test_released_code_puts_the_propagated_change_where_the_gradient_has_the_laplacian(graph, seed):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    released, unrolled = (
        constrained(direct(1), make=make)(x, adjacency)
        for make in (ReleasedCodePropagation, UnrolledMultiplierPropagation)
    )
    change = constrained(direct(1))(x, adjacency) - x
    swapped = graph.normalized() @ change - graph.laplacian() @ change
    close(released - unrolled, 2 * STEP_SIZE * 1e-3 * swapped)


@pytest.mark.parametrize("make_messages", [direct, delta_sigma])
def test_released_code_is_reproduced_and_the_gradient_differs_from_it(paper_values, make_messages):
    records = paper_values["propagation"]
    assert len(records) == 3
    differences = {}
    for record in records:
        x, recorded = torch.tensor(record["x"]), torch.tensor(record["output"])
        adjacency = Adjacency.from_edge_index(
            torch.tensor(record["edge_index"]), record["num_nodes"]
        )
        results = [
            constrained(
                make_messages(record["num_steps"]),
                make=make,
                smoothing=record["smoothing"],
                step_size=record["step_size"],
                budget=record["budget_per_edge"],
                dual_step_size=record["dual_step_size"],
            )(x, adjacency)
            for make in (ReleasedCodePropagation, UnrolledMultiplierPropagation)
        ]
        torch.testing.assert_close(results[0], recorded, rtol=1e-5, atol=1e-5)
        differences[record["name"]] = (results[1] - recorded).abs().max().item()
    # Not ours to reproduce: the code adds 2 eta lambda Â dH, where the gradient is that of L dH.
    assert differences["strong duals"] > 1e-3
    assert differences["negative multiplier"] > 1e-3


def test_second_messages_of_the_unrolled_variant_are_quantized():
    graph = ring_with_chords(9)
    x, adjacency = normal(0, 9, 2), graph.adjacency()
    propagation = constrained(
        delta_sigma(3, 4), make=UnrolledMultiplierPropagation, dual_step_size=0.1
    )
    steps = list(calibrated(propagation, x, adjacency).steps(x, adjacency))
    for step in steps:
        levels = propagation.messages.change_quantizers[step.index].grid().levels
        assert torch.isin(step.proposal_sent.value, levels).all()


@given(undirected, seeds)
def test_energy_of_a_change_in_both_bases(graph, seed):
    adjacency, h = graph.adjacency(), normal(seed, graph.num_nodes, 2)
    close(dirichlet_energy(adjacency, h), trace(h, graph.laplacian()))
