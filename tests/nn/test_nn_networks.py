"""Whole networks: the composition of their parts, their invariances and their state."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from random_graphs import RandomGraph, normal, ring_with_chords
from torch import Tensor

from qgnn_lightning.graph import Adjacency, sparse_csr
from qgnn_lightning.nn import (
    NetworkConfig,
    PropagationConfig,
    QuantizedGNN,
    SmoothnessAwarePropagation,
)
from qgnn_lightning.quantization import PRESETS, Precision

NUM_NODES, NUM_FEATURES, NUM_CLASSES = 31, 9, 4
GRAPH = ring_with_chords(NUM_NODES)
X = normal(0, NUM_NODES, NUM_FEATURES, dtype=torch.float32)
ADJACENCY = GRAPH.adjacency(torch.float32)

orders = pytest.mark.parametrize("order", ["encode", "embed"])
propagations = pytest.mark.parametrize(
    "name", ["smoothness_aware", "unrolled_multiplier", "released_code", "personalized", "powers"]
)
precisions = pytest.mark.parametrize("precision", ["int8", "int4", "int2", "int2-paper"])


def network(precision: str | Precision = "float32", **options) -> QuantizedGNN:
    torch.manual_seed(0)
    steps = PropagationConfig(
        propagation=options.pop("name", "smoothness_aware"),
        messages=options.pop("messages", "auto"),
        num_steps=options.pop("num_steps", 3),
    )
    bits = PRESETS[precision] if isinstance(precision, str) else precision
    config = NetworkConfig(hidden_features=8, precision=bits, propagation=steps, **options)
    return QuantizedGNN(NUM_FEATURES, NUM_CLASSES, config)


def trained(*args, **options) -> QuantizedGNN:
    result = network(*args, **options)
    with torch.no_grad():
        for _ in range(2):
            result(X, ADJACENCY)
    return result.eval()


def permuted(order: Tensor) -> RandomGraph:
    new = order.argsort().tolist()
    return RandomGraph(tuple((new[i], new[j]) for i, j in GRAPH.edges), NUM_NODES)


@orders
@propagations
def test_full_precision_is_the_composition_of_its_parts(order, name):
    gnn = network(order=order, name=name).double().eval()
    x, adjacency = X.double(), GRAPH.adjacency()
    hidden = (x @ gnn.encoder.weight.t() + gnn.encoder.bias).relu()

    def classify(h: Tensor) -> Tensor:
        return h @ gnn.classifier.weight.t() + gnn.classifier.bias

    if order == "encode":
        expected = gnn.propagation(classify(hidden), adjacency)
        start = classify(hidden)
    else:
        expected = classify(gnn.propagation(hidden, adjacency))
        start = hidden
    torch.testing.assert_close(gnn(x, adjacency), expected)
    torch.testing.assert_close(gnn.propagation_input(x), start)
    assert gnn(x, adjacency).shape == (NUM_NODES, NUM_CLASSES)


@orders
@propagations
def test_names_of_the_nodes_do_not_matter_at_full_precision(order, name):
    gnn = network(order=order, name=name).double().eval()
    renamed = torch.randperm(NUM_NODES)
    original = gnn(X.double(), GRAPH.adjacency())
    permuted_scores = gnn(X.double()[renamed], permuted(renamed).adjacency())
    torch.testing.assert_close(permuted_scores, original[renamed], rtol=1e-12, atol=1e-12)


@orders
@precisions
@pytest.mark.parametrize("name", ["smoothness_aware", "personalized", "powers"])
def test_names_of_the_nodes_do_not_matter_in_quantized_inference(order, precision, name):
    gnn = trained(precision, order=order, name=name)
    renamed = torch.randperm(NUM_NODES)
    original = gnn(X, ADJACENCY)
    permuted_scores = gnn(X[renamed], permuted(renamed).adjacency(torch.float32))
    torch.testing.assert_close(permuted_scores, original[renamed])


@orders
@precisions
def test_edges_and_record_give_the_same(order, precision):
    gnn = trained(precision, order=order)
    assert torch.equal(gnn(X, GRAPH.edge_index), gnn(X, ADJACENCY))


@pytest.mark.parametrize("precision", ["float32", "int8", "int4", "int2"])
def test_sparse_features_give_the_same_scores(precision):
    x = X * (X > 0.3)
    row, col = x.nonzero(as_tuple=True)
    count = torch.bincount(row, minlength=NUM_NODES)
    rowptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
    sparse = sparse_csr(rowptr, col, x[row, col], tuple(x.shape))
    gnn = trained(precision)
    torch.testing.assert_close(gnn(sparse, ADJACENCY), gnn(x, ADJACENCY))


@orders
@precisions
@propagations
def test_evaluation_writes_nothing_and_repeats_itself(order, precision, name):
    gnn = trained(precision, order=order, name=name)
    before = {key: value.clone() for key, value in gnn.state_dict().items()}
    first = gnn(X, ADJACENCY)
    gnn(3 * X, ADJACENCY)
    assert torch.equal(gnn(X, ADJACENCY), first)
    assert all(torch.equal(before[key], value) for key, value in gnn.state_dict().items())


@precisions
def test_evaluation_before_training_says_what_to_do(precision):
    with pytest.raises(RuntimeError, match="no range yet: run the network once in training mode"):
        network(precision).eval()(X, ADJACENCY)


@orders
@precisions
@propagations
def test_state_restores_the_network(order, precision, name):
    gnn = trained(precision, order=order, name=name)
    fresh = network(precision, order=order, name=name)
    fresh.load_state_dict(gnn.state_dict())
    assert torch.equal(fresh.eval()(X, ADJACENCY), gnn(X, ADJACENCY))


@pytest.mark.parametrize(
    "quantizer", ["learned_range", "bitwise_truncation", "skewness_truncation"]
)
@pytest.mark.parametrize("messages", ["direct", "delta_sigma"])
def test_every_parameter_gets_a_gradient(quantizer, messages):
    gnn = network("int2", messages=messages, quantizer=quantizer, dropout=0.0)
    gnn(X, ADJACENCY)
    gnn.propagation.multipliers.value.fill_(0.5)
    gnn(X, ADJACENCY).square().sum().backward()
    without = [name for name, p in gnn.named_parameters() if p.grad is None or not p.grad.any()]
    # Where nothing is clipped and every value is a level, the gradient may be 0 by chance.
    assert len(without) <= 1, without
    assert all(p.grad is not None for p in gnn.parameters())
    assert all(p.grad.isfinite().all() for p in gnn.parameters())


def test_multipliers_of_zero_leave_the_second_messages_without_gradient():
    gnn = network("int2", quantizer="learned_range")
    gnn(X, ADJACENCY).sum().backward()
    assert all(p.grad is None for p in gnn.propagation.messages.change_quantizers.parameters())
    assert all(p.grad is not None for p in gnn.propagation.messages.quantizers.parameters())


@orders
def test_bits_reach_their_stage(order):
    bits = Precision(input=7, weight=6, activation=5, message=4)
    gnn = network(bits, order=order)
    assert gnn.encoder.input_quantizer.num_bits == 7
    assert gnn.classifier.input_quantizer.num_bits == 5
    assert {layer.weight_quantizer.num_bits for layer in (gnn.encoder, gnn.classifier)} == {6}
    assert {q.num_bits for q in gnn.propagation.messages.quantizers} == {4}
    assert {q.num_bits for q in gnn.propagation.messages.change_quantizers} == {4}


@pytest.mark.parametrize("per_channel", [True, False])
def test_granularity_of_the_weights(per_channel):
    gnn = network("int4", per_channel_weights=per_channel)
    shape = (8, 1) if per_channel else ()
    assert gnn.encoder.weight_quantizer.fraction.alpha.shape == shape
    assert gnn.encoder.input_quantizer.fraction.alpha.shape == ()


def test_quantized_aggregates_and_updates_are_levels():
    gnn = trained("int2-paper")
    messages = gnn.propagation.messages
    for step in gnn.propagation.steps(gnn.propagation_input(X), ADJACENCY):
        levels = messages.update_quantizers[step.index].grid().levels
        assert torch.isin(step.after.representation(), levels).all()


def test_isolated_nodes_keep_the_encoders_scores():
    gnn = network().double().eval()
    alone = Adjacency.from_edge_index(
        torch.empty(2, 0, dtype=torch.long), NUM_NODES, dtype=torch.float64
    )
    torch.testing.assert_close(gnn(X.double(), alone), gnn.propagation_input(X.double()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_features": 0}, "hidden_features must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"dropout": -0.5}, r"dropout must be in \[0, 1\), got -0.5"),
        ({"order": "sideways"}, "order must be 'encode' or 'embed', got 'sideways'"),
    ],
)
def test_configuration_is_checked(options, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**options)


def test_configuration_cannot_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NetworkConfig().dropout = 0.5


@orders
@pytest.mark.parametrize("precision", ["float32", "int8", "int2"])
@pytest.mark.parametrize("unit", ["input_energy", "per_edge"])
def test_views_without_dropout_are_passes(order, precision, unit):
    config = NetworkConfig(
        hidden_features=6,
        dropout=0.0,
        order=order,
        precision=PRESETS[precision],
        propagation=PropagationConfig(num_steps=3, budget=0.2, budget_unit=unit),
    )
    torch.manual_seed(0)
    one = QuantizedGNN(NUM_FEATURES, NUM_CLASSES, config)
    if precision == "float32":
        two = copy.deepcopy(one)
        views, expected = two.views(X, ADJACENCY, 2), one(X, ADJACENCY)
        assert isinstance(one.propagation, SmoothnessAwarePropagation)
        torch.testing.assert_close(two.propagation.violation, one.propagation.violation)
    else:  # in training every pass moves the ranges
        one.views(X, ADJACENCY, 2)
        one.eval()
        views, expected = one.views(X, ADJACENCY, 2), one(X, ADJACENCY)
    torch.testing.assert_close(views[0], expected)
    torch.testing.assert_close(views[1], expected)
