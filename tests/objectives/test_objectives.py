"""The losses against the same formulas written out in numbers."""

from __future__ import annotations

import math

import pytest
import torch

from qgnn_lightning.objectives import consistency_loss, distillation_loss


def test_consistency_is_the_formula_written_out():
    torch.manual_seed(0)
    views = torch.randn(3, 5, 4, dtype=torch.float64)
    temperature, total = 0.5, 0.0
    for node in range(5):
        rows = [[math.exp(score) for score in view[node].tolist()] for view in views]
        p = [[value / sum(row) for value in row] for row in rows]
        mean = [sum(column) / 3 for column in zip(*p, strict=True)]
        power = [value ** (1 / temperature) for value in mean]
        target = [value / sum(power) for value in power]
        for row in p:
            total += sum((a - b) ** 2 for a, b in zip(row, target, strict=True))
    assert float(consistency_loss(views, temperature)) == pytest.approx(total / 15)


def test_no_gradient_flows_through_the_target():
    torch.manual_seed(0)
    views = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    consistency_loss(views, 0.5).backward()
    p = views.detach().softmax(-1)
    power = p.mean(0) ** 2
    target = power / power.sum(-1, keepdim=True)
    outer = 2 * (p - target) / 12
    by_hand = p * (outer - (outer * p).sum(-1, keepdim=True))
    torch.testing.assert_close(views.grad, by_hand)


def test_sure_views_that_agree_cost_nothing():
    views = torch.tensor([[[200.0, -200.0], [-200.0, 200.0]]]).expand(2, 2, 2)
    assert float(consistency_loss(views, 0.5)) == 0.0


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_distillation_is_the_formula_written_out(temperature):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, 3, dtype=torch.float64)
    p = (teacher / temperature).softmax(1)
    q = (student / temperature).softmax(1)
    expected = (p * (p / q).log()).sum() / 4 * temperature**2
    torch.testing.assert_close(distillation_loss(student, teacher, temperature), expected)
