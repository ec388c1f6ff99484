from __future__ import annotations

import pytest
import torch
from bench_cases import dense_propagation

from qgnn_lightning.bench import PropagationTask, Protocol, measure, random_graph
from qgnn_lightning.bench._float32 import PEERS, exact, peer
from qgnn_lightning.bench._propagation_benchmark import sums_of_planes, wide_codes, wide_planes
from qgnn_lightning.kernels import PackedGraph
from qgnn_lightning.nn import Recurrence

EPS = torch.finfo(torch.float32).eps


@pytest.fixture(scope="module")
def adjacency():
    return random_graph("power_law", 50, 150)


@pytest.fixture
def task(adjacency):
    return PropagationTask(adjacency, torch.randn(50, 5), num_steps=4, restart=0.2)


@pytest.mark.parametrize(
    ("recurrence", "strengths"),
    [
        (Recurrence(0.0, 0.9, 0.1), [0.0, 0.0]),
        (Recurrence(0.3, 0.5, 0.2), [0.0, 0.0, 0.0]),
        (Recurrence(0.0, 0.9, 0.1), [0.2, 0.0, 1.0]),
        (Recurrence(-0.2, 0.7, 0.1), [0.4, 0.3]),
    ],
)
def test_every_peer_computes_the_recurrence(adjacency, recurrence, strengths):
    x = torch.randn(50, 5)
    expected = dense_propagation(adjacency, x, recurrence, strengths)
    found = exact(x, adjacency, recurrence, strengths)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    # Each step rounds every sum of at most max_count terms, each bounded by the largest value.
    rounding = 8 * len(strengths) * adjacency.max_count * EPS * float(x.abs().max())
    for name in PEERS:
        result = peer(name, adjacency, recurrence, strengths)(x)
        torch.testing.assert_close(result.double(), expected, rtol=0, atol=rounding)


def test_a_peer_does_not_change_its_input(adjacency):
    x = torch.randn(50, 5)
    before = x.clone()
    for name in PEERS:
        peer(name, adjacency, Recurrence(0.1, 0.8, 0.1), [0.1, 0.0])(x)
        assert torch.equal(x, before), name


def test_nothing_to_propagate_is_refused(adjacency):
    with pytest.raises(ValueError, match="neighbours must not be 0"):
        peer("fp32-csr", adjacency, Recurrence(0.0, 0.0, 1.0), [0.0])


@pytest.mark.parametrize("residual_bits", [8, 16])
def test_packed_results_are_the_fake_quantized_ones_bit_for_bit(adjacency, residual_bits):
    task = PropagationTask(adjacency, torch.randn(50, 7), 4, residual_bits=residual_bits)
    names = [name for name in task.names if name.startswith("int") and name != "int32-sum"]
    assert len(names) == 6
    candidates = [task.candidate(name) for name in names]
    for outcome in measure(candidates, task.exact(), Protocol(1)):
        assert outcome.first.deviation_from_fake == 0.0, outcome.candidate.name


def test_more_bits_are_closer_to_the_exact_result(task):
    names = ["int2-direct", "int4-direct", "int8-direct", "fp32-ours"]
    outcomes = measure([task.candidate(name) for name in names], task.exact(), Protocol(1))
    errors = [outcome.first.relative_error for outcome in outcomes]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6


def test_what_is_sent_shrinks_with_the_bits(adjacency):
    task = PropagationTask(adjacency, torch.randn(50, 128), num_steps=1)
    sent = {name: task.candidate(name).message_bytes for name in task.names}
    assert sent["fp32-csr"] == 50 * 128 * 4
    assert sent["int8-direct"] == 50 * 128
    assert sent["int2-delta"] == 50 * 128 // 4


def test_the_control_sums_wide_integers_exactly(adjacency):
    codes = wide_codes(torch.randn(50, 3))
    assert codes.min() == 0
    assert codes.max() == 2**24 - 1
    graph = PackedGraph.from_csr(adjacency.rowptr, adjacency.col)
    sums = sums_of_planes(wide_planes(codes), graph, 3, num_steps=2)
    planes = sums.long().reshape(50, 4, 3)
    total = sum(planes[:, plane] << (8 * plane) for plane in range(4))
    assert torch.equal(total, adjacency.matrix(torch.float64).to_dense().long() @ codes)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"restart": 1.0}, r"restart must be in \(0, 1\), got 1.0"),
    ],
)
def test_wrong_arguments(adjacency, argument, message):
    with pytest.raises(ValueError, match=message):
        PropagationTask(adjacency, torch.randn(50, 2), **argument)
