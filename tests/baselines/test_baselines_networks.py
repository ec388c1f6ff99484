"""The baselines: PyG's layers composed, and our quantized twins of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from random_graphs import normal, ring_with_chords
from torch import Tensor
from torch.nn import functional

from qgnn_lightning.baselines import make_network
from qgnn_lightning.graph import sparse_csr
from qgnn_lightning.nn import (
    GraphNetwork,
    NetworkConfig,
    PropagationConfig,
    QuantizedGNN,
    QuantizedLinear,
)
from qgnn_lightning.quantization import (
    PRESETS,
    LearnedRangeQuantizer,
    LeastSquaresQuantizer,
    MinMaxQuantizer,
)

NUM_NODES, NUM_FEATURES, NUM_CLASSES = 23, 7, 3
GRAPH = ring_with_chords(NUM_NODES)
ADJACENCY = GRAPH.adjacency(torch.float32)
OFF_DIAGONAL = ADJACENCY.row != ADJACENCY.col
EDGE_INDEX = torch.stack([ADJACENCY.col, ADJACENCY.row])[:, OFF_DIAGONAL]
X = normal(0, NUM_NODES, NUM_FEATURES, dtype=torch.float32).clamp(min=0)

architectures = pytest.mark.parametrize(
    "architecture", ["gcn", "gcnii", "appnp", "sgc", "elastic", "decoupled"]
)
quantized_too = pytest.mark.parametrize("architecture", ["gcn", "appnp", "sgc"])


def network(architecture: str, bits: str = "float32", **options) -> GraphNetwork:
    torch.manual_seed(0)
    names = ("num_steps", "restart", "smoothing", "messages")
    steps = {name: options.pop(name) for name in names if name in options}
    config = NetworkConfig(
        hidden_features=5,
        architecture=architecture,
        precision=PRESETS[bits],
        propagation=PropagationConfig(**{"num_steps": 3} | steps),
        **options,
    )
    return make_network(NUM_FEATURES, NUM_CLASSES, config)


def sparse(x: Tensor) -> Tensor:
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), (x != 0).sum(1).cumsum(0)])
    return sparse_csr(rowptr, x.nonzero()[:, 1], x[x != 0], tuple(x.shape))


@pytest.mark.parametrize("architecture", ["gcn", "appnp", "sgc", "decoupled"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, LearnedRangeQuantizer),
        ({"weight_quantizer": "min_max"}, MinMaxQuantizer),
        ({"input_quantizer": "least_squares"}, LeastSquaresQuantizer),
    ],
)
def test_input_features_are_quantized_as_the_weights_or_as_asked(architecture, options, expected):
    layers = [
        module
        for module in network(architecture, "int4", **options).modules()
        if isinstance(module, QuantizedLinear)
    ]
    assert layers[0].in_features == NUM_FEATURES
    assert type(layers[0].input_quantizer) is expected
    learned = options.get("weight_quantizer", "learned_range") == "learned_range"
    weights = LearnedRangeQuantizer if learned else MinMaxQuantizer
    assert {type(layer.weight_quantizer) for layer in layers} == {weights}


@architectures
def test_an_edge_index_and_sparse_features_are_taken_too(architecture):
    gnn = network(architecture).eval()
    expected = gnn(X, ADJACENCY)
    assert expected.shape == (NUM_NODES, NUM_CLASSES)
    torch.testing.assert_close(gnn(X, EDGE_INDEX), expected)
    torch.testing.assert_close(gnn(sparse(X), ADJACENCY), expected)


@architectures
def test_every_parameter_is_trained(architecture):
    gnn = network(architecture)
    for x in (X, sparse(X)):
        functional.cross_entropy(gnn(x, ADJACENCY), torch.arange(NUM_NODES) % 3).backward()
        assert all(one.grad is not None and one.grad.any() for one in gnn.parameters())
        gnn.zero_grad()


@architectures
def test_representations_are_those_of_the_forward_pass(architecture):
    gnn = network(architecture).eval()
    found = list(gnn.representations(X, ADJACENCY))
    assert len(found) == gnn.num_steps + 1 == 4
    scores = gnn(X, ADJACENCY)
    last = found[-1]
    if architecture == "gcnii":
        last = gnn.classifier(last)
    if architecture == "sgc":
        last = last + gnn.conv.lin.bias
    torch.testing.assert_close(last, scores)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_steps", [1, 2, 4])
def test_gcn_is_pygs_layers_with_relu_between_them(num_steps, residual):
    gnn = network("gcn", num_steps=num_steps, residual=residual).eval()
    convs = [gnn.first.conv, *(layer.conv for layer in gnn.later)]
    assert len(convs) == num_steps
    h = X
    normalized = GRAPH.normalized().float()
    for number, conv in enumerate(convs):
        result = normalized @ h @ conv.lin.weight.t() + conv.bias
        if number < num_steps - 1:
            result = result.relu()
            if residual and number > 0:
                result = result + h
        h = result
    torch.testing.assert_close(gnn(X, ADJACENCY), h)


def test_gcn_is_pygs_own_on_its_own_graph():
    from torch_geometric.nn import GCNConv

    gnn = network("gcn", num_steps=1).eval()
    conv = GCNConv(NUM_FEATURES, NUM_CLASSES)
    conv.load_state_dict(gnn.first.conv.state_dict())
    torch.testing.assert_close(gnn(X, ADJACENCY), conv(X, EDGE_INDEX))


def test_sgc_and_appnp_are_pygs_own_on_its_own_graph():
    from torch_geometric.nn import APPNP, SGConv

    sgc = network("sgc").eval()
    conv = SGConv(NUM_FEATURES, NUM_CLASSES, K=3)
    conv.load_state_dict(sgc.conv.state_dict())
    torch.testing.assert_close(sgc(X, ADJACENCY), conv(X, EDGE_INDEX))
    appnp = network("appnp", restart=0.2).eval()
    expected = APPNP(3, 0.2)(appnp.classify(X), EDGE_INDEX)
    torch.testing.assert_close(appnp(X, ADJACENCY), expected)


def test_gcnii_against_its_formula():
    gnn = network("gcnii", restart=0.2, identity_mapping=0.7).eval()
    start = (X @ gnn.encoder.weight.t() + gnn.encoder.bias).relu()
    h, normalized, eye = start, GRAPH.normalized().float(), torch.eye(5)
    for layer, conv in enumerate(gnn.convs, start=1):
        beta = torch.tensor(0.7 / layer + 1).log()
        mixed = 0.8 * normalized @ h + 0.2 * start
        h = (mixed @ ((1 - beta) * eye + beta * conv.weight1)).relu()
    expected = h @ gnn.classifier.weight.t() + gnn.classifier.bias
    torch.testing.assert_close(gnn(X, ADJACENCY), expected)


def test_sgc_keeps_the_features_of_the_right_graph():
    gnn = network("sgc")
    with torch.inference_mode():
        first = gnn(X, ADJACENCY)  # must not leave a tensor that training cannot use
    gnn(X, ADJACENCY).sum().backward()
    other = ring_with_chords(NUM_NODES, seed=1).adjacency(torch.float32)
    fresh = network("sgc")
    torch.testing.assert_close(gnn(X, other), fresh(X, other))
    torch.testing.assert_close(gnn(2 * X, other), fresh(2 * X, other))
    assert torch.equal(gnn(X, ADJACENCY), first)


@quantized_too
@pytest.mark.parametrize("sparse_input", [False, True])
def test_quantized_twins_have_the_same_function_but_for_the_rounding(architecture, sparse_input):
    full = network(architecture).eval()
    twin = network(architecture, "int8", quantizer="min_max", weight_quantizer="min_max", dropout=0)
    twin.load_state_dict(_renamed(architecture, full, twin), strict=False)
    x = sparse(X) if sparse_input else X
    with torch.no_grad():
        twin(x, ADJACENCY)
        found, expected = twin.eval()(x, ADJACENCY), full(x, ADJACENCY)
    error = (found - expected).norm() / expected.norm()
    assert 1e-4 < error < 0.05  # some hundredths of 2^-8 per stage; rounded, and nothing else


def _renamed(architecture: str, full: GraphNetwork, twin: GraphNetwork) -> dict[str, Tensor]:
    state = full.state_dict()
    if architecture == "gcn":
        state = {name.replace(".conv.", "."): value for name, value in state.items()}
    if architecture == "sgc":
        state = {"classifier.weight": state["conv.lin.weight"], "bias": state["conv.lin.bias"]}
    parameters = {name for name, _ in twin.named_parameters()}
    assert state.keys() <= parameters
    assert parameters - state.keys() == set()
    return state


@quantized_too
@pytest.mark.parametrize("bits", ["int4", "int2"])
@pytest.mark.parametrize("quantizer", ["lsq", "degree_quant", "min_max", "learned_range"])
def test_quantized_twins_learn(architecture, bits, quantizer):
    gnn = network(
        architecture, bits, quantizer=quantizer, weight_quantizer=quantizer, dropout=0.0,
        num_steps=2,
    )  # fmt: skip
    optimizer = torch.optim.Adam(gnn.parameters(), lr=0.02)
    labels = (X.sum(1) > X.sum(1).median()).long()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = functional.cross_entropy(gnn(X, ADJACENCY), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-10:]) < 0.95 * losses[0]
    assert gnn.eval()(X, ADJACENCY).isfinite().all()


def test_quantized_appnp_is_the_decoupled_network_with_its_propagation():
    gnn = network("appnp", "int2", restart=0.3)
    assert isinstance(gnn, QuantizedGNN)
    assert gnn.config.architecture == "appnp"
    assert gnn.propagation.recurrence.restart == 0.3


@pytest.mark.parametrize("architecture", ["gcnii", "elastic"])
def test_some_know_full_precision_only(architecture):
    with pytest.raises(
        ValueError, match=f"bits must be 'float32' for architecture '{architecture}'"
    ):
        network(architecture, "int4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "nope"}, "architecture must be one of .*'gcn'.*, got 'nope'"),
        ({"identity_mapping": 0.0}, "identity_mapping must be positive, got 0.0"),
        ({"sparsity": -1.0}, "sparsity must be at least 0, got -1.0"),
    ],
)
def test_configuration_is_checked(options, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**options)


def test_pyg_is_imported_for_its_layers_only():
    code = (
        "import sys\n"
        "from qgnn_lightning.baselines import make_network\n"
        "from qgnn_lightning.nn import NetworkConfig\n"
        "from qgnn_lightning.quantization import PRESETS\n"
        "for name in ('decoupled', 'gcn', 'appnp', 'sgc'):\n"
        "    make_network(4, 2, NetworkConfig(architecture=name, precision=PRESETS['int4']))\n"
        "make_network(4, 2, NetworkConfig(architecture='elastic'))\n"
        "assert 'torch_geometric' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
