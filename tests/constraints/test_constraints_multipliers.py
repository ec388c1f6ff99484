"""Multipliers and budgets: projected ascent, and the differential multiplier method."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qgnn_lightning.constraints import (
    EdgeBudget,
    EnergyBudget,
    Multipliers,
    differential_multiplier_step,
)

reals = st.floats(-1e3, 1e3)
positive = st.floats(1e-3, 1e3)


@given(st.lists(reals, min_size=1, max_size=6), st.lists(reals, min_size=1, max_size=6), positive)
def test_ascent_is_gradient_ascent_clipped_to_the_interval(first, second, upper):
    size = min(len(first), len(second))
    multipliers = Multipliers(size, upper, dual_step_size=0.25).double()
    expected = [0.0] * size
    for violations in (first, second):
        multipliers.ascend(torch.tensor(violations[:size], dtype=torch.float64))
        pairs = zip(expected, violations, strict=False)
        expected = [min(max(old + 0.25 * g, 0), upper) for old, g in pairs]
    assert multipliers.value.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_multipliers_find_the_solution_of_a_problem_solved_by_hand():
    """Minimise (x - 3)^2 / 2 subject to x <= 1: x = 1, and the multiplier is 2."""
    multipliers = Multipliers(1, upper=10.0, dual_step_size=0.5).double()
    for _ in range(200):
        x = 3 - multipliers.value  # minimises the Lagrangian for this multiplier
        multipliers.ascend(x - 1)
    assert multipliers.value.item() == pytest.approx(2, abs=1e-12)
    assert x.item() == pytest.approx(1, abs=1e-12)


def test_a_constraint_that_holds_gets_no_multiplier():
    multipliers = Multipliers(2, upper=1.0, dual_step_size=1.0)
    multipliers.ascend(torch.tensor([-5.0, 0.25]))
    assert multipliers.value.tolist() == [0, 0.25]


def test_multipliers_are_state_and_not_parameters():
    multipliers = Multipliers(3, upper=1.0, dual_step_size=1.0)
    assert list(multipliers.state_dict()) == ["value"]
    assert list(multipliers.parameters()) == []
    violation = torch.ones(3, requires_grad=True)
    multipliers.ascend(violation)
    assert not multipliers.value.requires_grad


@pytest.mark.parametrize(
    ("upper", "dual_step_size", "message"),
    [
        (0.0, 0.1, "upper must be positive, got 0.0"),
        (-1.0, 0.1, "upper must be positive, got -1.0"),
        (float("nan"), 0.1, "upper must be positive, got nan"),
        (1.0, -0.1, "dual_step_size must be at least 0, got -0.1"),
        (1.0, float("nan"), "dual_step_size must be at least 0, got nan"),
    ],
)
def test_arguments_of_the_multipliers_are_checked(upper, dual_step_size, message):
    with pytest.raises(ValueError, match=message):
        Multipliers(1, upper, dual_step_size)


@given(reals, reals, st.floats(0, 1e3), reals, st.floats(1e-6, 10), st.floats(1e-6, 10))
def test_differential_step_follows_autograd_of_the_lagrangian(
    multiplier, slack, energy, budget, dual_step_size, slack_step_size
):
    variables = [
        torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for value in (multiplier, slack)
    ]
    energy = torch.tensor(energy, dtype=torch.float64)
    lagrangian = variables[0] * (budget - variables[1] ** 2 - energy)
    by_multiplier, by_slack = torch.autograd.grad(lagrangian, variables)
    with torch.no_grad():
        actual = differential_multiplier_step(
            *variables,
            energy,
            budget,
            dual_step_size=dual_step_size,
            slack_step_size=slack_step_size,
        )
    expected = (
        multiplier + dual_step_size * by_multiplier,  # ascent
        slack - slack_step_size * by_slack,  # descent
    )
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-9)


def test_budget_per_edge_does_not_ask_for_the_energy():
    def unwanted() -> torch.Tensor:
        raise AssertionError

    assert EdgeBudget(0.25).limit(12, unwanted) == 3.0


def test_budget_of_energy_is_a_fraction_of_the_input():
    assert EnergyBudget(0.5).limit(12, lambda: torch.tensor(8.0)) == 4.0


@pytest.mark.parametrize(("make", "name"), [(EdgeBudget, "per_edge"), (EnergyBudget, "fraction")])
@pytest.mark.parametrize("value", [-0.5, 0.0, float("nan")])
def test_budgets_are_positive(make, name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive, got {value}"):
        make(value)


def test_a_smooth_input_leaves_a_positive_limit():
    """Violations are relative to it."""
    assert EnergyBudget(0.5).limit(12, lambda: torch.tensor(0.0)) > 0
    assert EnergyBudget(0.5).limit(12, lambda: torch.tensor(-1e-9)) > 0
