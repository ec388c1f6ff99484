from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from bench_cases import dense_propagation

from qgnn_lightning.bench import Protocol, ckpt_task, measure, packed_task, random_graph
from qgnn_lightning.bench import random_task as make_random_task
from qgnn_lightning.deploy import freeze
from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN
from qgnn_lightning.quantization import Precision

CONFIG = NetworkConfig(
    hidden_features=6, dropout=0.0, propagation=PropagationConfig("personalized", num_steps=3)
)


@pytest.fixture(scope="module")
def adjacency():
    return random_graph("uniform", 40, 120)


@pytest.fixture
def x():
    return torch.randn(40, 5)


def outcomes_of(task):
    return measure([task.candidate(name) for name in task.names], task.exact(), Protocol(1))


def calibrated(config, x, adjacency, num_bits=4):
    network = QuantizedGNN(5, 3, replace(config, precision=Precision.operands(num_bits)))
    with torch.no_grad():
        network.train()(x, adjacency)
    return network.eval()


@pytest.mark.parametrize("order", ["encode", "embed"])
def test_a_random_network_is_computed_alike_by_all(adjacency, x, order):
    task = make_random_task(adjacency, x, 3, replace(CONFIG, order=order))
    weights, recurrence = task.weights.double(), task.weights.recurrence
    hidden = torch.relu(x.double() @ weights.encoder.weight.T + weights.encoder.bias)
    layer = weights.classifier
    if order == "encode":
        start = hidden @ layer.weight.T + layer.bias
        expected = dense_propagation(adjacency, start, recurrence, [0.0] * 3)
    else:
        expected = dense_propagation(adjacency, hidden, recurrence, [0.0] * 3)
        expected = expected @ layer.weight.T + layer.bias
    torch.testing.assert_close(task.exact(), expected, rtol=0, atol=1e-13)
    for outcome in outcomes_of(task):
        if outcome.candidate.family == "fp32":
            assert outcome.first.relative_error < 1e-6, outcome.candidate.name
        if outcome.candidate.family == "packed":
            assert outcome.first.deviation_from_fake == 0.0, outcome.candidate.name
            assert set(outcome.parts) == {"encoder", "propagation"}
            assert outcome.candidate.model_bytes > 0


def test_fewer_bits_are_a_smaller_model(adjacency, x):
    config = replace(CONFIG, hidden_features=256)
    task = make_random_task(adjacency, torch.randn(40, 300), 3, config)
    sizes = [task.candidate(name).model_bytes for name in ("fp32-bag", "int8", "int4", "int2")]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 4 * (300 * 256 + 256 + 256 * 3 + 3)


@pytest.mark.parametrize("messages", ["direct", "delta_sigma"])
def test_a_trained_network_brings_its_corrections(adjacency, x, messages):
    propagation = PropagationConfig("smoothness_aware", messages, num_steps=3)
    network = calibrated(replace(CONFIG, propagation=propagation), x, adjacency)
    network.propagation.multipliers.value.fill_(0.5)
    task = ckpt_task(adjacency, x, network)
    assert min(task.weights.strengths) > 0
    start = task.weights.double().start(x.double())
    expected = dense_propagation(
        adjacency, start, task.weights.recurrence, list(task.weights.strengths)
    )
    torch.testing.assert_close(task.exact(), expected, rtol=0, atol=1e-13)
    by_name = {one.candidate.name: one.first for one in outcomes_of(task)}
    assert by_name["packed"].deviation_from_fake == 0.0
    assert by_name["fp32-sum"].relative_error < 1e-6
    assert by_name["fp32-ours"].relative_error < 1e-6


@pytest.mark.parametrize("quantizer", ["least_squares", "skewness_truncation"])
@pytest.mark.parametrize("messages", ["direct", "delta_sigma"])
def test_a_packed_network_is_simulated_exactly(adjacency, x, quantizer, messages):
    config = replace(
        CONFIG,
        quantizer=quantizer,
        weight_quantizer=quantizer,
        propagation=PropagationConfig("personalized", messages, num_steps=3),
    )
    network = calibrated(config, x, adjacency, num_bits=2)
    task = packed_task(adjacency, x, freeze(network))
    by_name = {one.candidate.name: one.first for one in outcomes_of(task)}
    assert by_name["packed"].deviation_from_fake == 0.0
    with torch.no_grad():
        fake = task.candidate("fake-packed").run()
        assert torch.equal(fake, network(x, adjacency))


def test_a_network_that_cannot_be_packed_is_refused(adjacency, x):
    network = QuantizedGNN(5, 3, CONFIG)
    with pytest.raises(ValueError, match="in full precision cannot be packed"):
        ckpt_task(adjacency, x, network)
