"""A packed network gives what the trained one gives, bit for bit."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from qgnn_lightning.deploy import freeze, load_packed, save_packed
from qgnn_lightning.graph import Adjacency, sparse_csr
from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN
from qgnn_lightning.quantization import PRESETS, make_precision


def trained(config: NetworkConfig, x: torch.Tensor, adjacency: Adjacency, num_classes: int = 3):
    """A network after a few steps of training, in evaluation mode."""
    network = QuantizedGNN(x.shape[1], num_classes, config)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    labels = torch.arange(x.shape[0]) % num_classes
    for _ in range(3):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x, adjacency), labels)
        loss.backward()
        optimizer.step()
        if hasattr(network.propagation, "ascend"):
            network.propagation.ascend()
    return network.eval()


def to_csr(x: torch.Tensor) -> torch.Tensor:
    """The same features as CSR, with their zeros left out."""
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), (x != 0).sum(1).cumsum(0)])
    return sparse_csr(rowptr, x.nonzero()[:, 1], x[x != 0], tuple(x.shape))


def random_graph(num_nodes: int, num_edges: int, seed: int = 0) -> Adjacency:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, num_edges), generator=generator)
    return Adjacency.from_edge_index(torch.cat([edges, edges.flip(0)], 1), num_nodes)


CONFIGS = {
    "direct": {"messages": "direct"},
    "delta_sigma": {"messages": "delta_sigma"},
    "delta_sigma_8": {"messages": "delta_sigma", "residual_bits": 8},
    "keep": {"messages": "delta_sigma", "smoothing": 5.0},
    "direct_keep": {"messages": "direct", "smoothing": 5.0},
    "constrained": {"messages": "delta_sigma", "budget": 0.05, "dual_step_size": 1.0},
    "personalized": {"propagation": "personalized", "restart": 0.15},
    "powers": {"propagation": "powers", "messages": "direct"},
}


@pytest.mark.parametrize("bits", ["int8", "int4", "int2"])
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("order", ["encode", "embed"])
def test_scores_equal_those_of_the_network(bits, name, order):
    x, adjacency = torch.rand(40, 9), random_graph(40, 70)
    propagation = PropagationConfig(num_steps=5, **CONFIGS[name])
    config = NetworkConfig(
        hidden_features=11, order=order, precision=PRESETS[bits], propagation=propagation
    )
    network = trained(config, x, adjacency)
    if name == "constrained":
        assert any(network.propagation.correction_strengths())
    with torch.no_grad():
        expected = network(x, adjacency)
    assert torch.equal(freeze(network)(x, adjacency), expected)


def packed_network():
    x, adjacency = torch.rand(40, 9), random_graph(40, 70)
    config = NetworkConfig(hidden_features=11, precision=PRESETS["int2"])
    return freeze(trained(config, x, adjacency)), x, adjacency


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("form", [torch.Tensor.clone, to_csr])
def test_features_that_are_not_finite_are_refused(value, form):
    network, x, adjacency = packed_network()
    x[3, 5] = value
    with pytest.raises(ValueError, match="x must be finite, got NaN or infinity"):
        network(form(x), adjacency)


def test_features_of_another_graph_are_refused():
    network, x, adjacency = packed_network()
    with pytest.raises(ValueError, match=rf"each of the {adjacency.num_nodes} nodes .*, got 1$"):
        network(x[:1], adjacency)


@pytest.mark.parametrize("form", [torch.Tensor.to_sparse_coo, lambda x: x.to("meta")])
def test_features_in_another_form_are_refused(form):
    network, x, adjacency = packed_network()
    with pytest.raises(ValueError, match=r"x must be dense or torch.sparse CSR, with values, got"):
        network(form(x), adjacency)


def test_a_graph_of_another_precision_is_refused():
    network, x, adjacency = packed_network()
    with pytest.raises(ValueError, match=r"degrees of torch.float32, .* got torch.float64"):
        network(x, adjacency.double())


def test_arrays_are_refused():
    network, x, _ = packed_network()
    edges = torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(TypeError, match=r"x must be a torch.Tensor, got numpy.ndarray: torch.from"):
        network(x.numpy(), edges)
    with pytest.raises(TypeError, match=r"graph must be a torch.Tensor, got numpy.ndarray"):
        network(x, edges.numpy())


def test_a_line_for_each_layer(tmp_path):
    network, *_ = packed_network()
    lines = repr(network).splitlines()
    assert lines[0] == "PackedGNN("
    assert lines[1].startswith("  encoder: PackedLinear(9 -> 11, input 2 bits, weight 2 bits, ")
    assert lines[2].startswith("  classifier: PackedLinear(11 -> 3, input 2 bits, weight 2 bits, ")
    assert lines[3].startswith("  propagation: PackedPropagation(10 steps, delta_sigma messages 2 ")
    assert len(lines) == 5
    # The bytes are those that the file's own format counts.
    save_packed(network, tmp_path / "n.safetensors")
    with safe_open(tmp_path / "n.safetensors", "pt") as file:
        tensors = sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118
    counted = [int(re.search(r"([\d,]+) bytes", line)[1].replace(",", "")) for line in lines[1:4]]
    assert sum(counted) == tensors


@given(
    num_nodes=st.integers(1, 30),
    num_edges=st.integers(0, 60),
    num_features=st.integers(1, 40),
    num_classes=st.integers(2, 35),
    bits=st.fixed_dictionaries(
        {
            stage: st.sampled_from([2, 4, 8])
            for stage in ("input", "weight", "activation", "message")
        }
    ),
    quantizer=st.sampled_from(["least_squares", "learned_range", "min_max", "bitwise_truncation"]),
    weights=st.sampled_from(["learned_range", "min_max", "skewness_truncation"]),
    per_channel=st.booleans(),
    sparse=st.booleans(),
    seed=st.integers(0, 5),
)
def test_equal_on_any_graph_and_bits(
    num_nodes,
    num_edges,
    num_features,
    num_classes,
    bits,
    quantizer,
    weights,
    per_channel,
    sparse,
    seed,
):
    torch.manual_seed(seed)
    adjacency = random_graph(num_nodes, num_edges, seed)
    x = torch.rand(num_nodes, num_features) * (torch.rand(num_nodes, num_features) < 0.5)
    x[0, 0] = 1.0
    features = to_csr(x) if sparse else x
    config = NetworkConfig(
        hidden_features=5,
        precision=make_precision("int2", bits),
        quantizer=quantizer,
        weight_quantizer=weights,
        per_channel_weights=per_channel,
        propagation=PropagationConfig(num_steps=4),
    )
    network = trained(config, features, adjacency, num_classes)
    with torch.no_grad():
        expected = network(features, adjacency)
    assert torch.equal(freeze(network)(features, adjacency), expected)


def test_takes_csr_with_indices_of_32_bits():
    x, adjacency = torch.rand(20, 6), random_graph(20, 40)
    packed = freeze(
        trained(NetworkConfig(hidden_features=7, precision=PRESETS["int4"]), x, adjacency)
    )
    wide = to_csr(x)
    rowptr, col = wide.crow_indices().int(), wide.col_indices().int()
    narrow = sparse_csr(rowptr, col, wide.values(), tuple(x.shape))
    assert torch.equal(packed(narrow, adjacency), packed(wide, adjacency))


def test_file_keeps_everything(tmp_path):
    x, adjacency = torch.rand(20, 6), random_graph(20, 40)
    network = trained(NetworkConfig(hidden_features=7, precision=PRESETS["int4"]), x, adjacency)
    packed = freeze(network)
    save_packed(packed, tmp_path / "model.safetensors")
    loaded = load_packed(tmp_path / "model.safetensors")
    other = random_graph(33, 50, seed=1)
    features = torch.rand(33, 6)
    assert torch.equal(loaded(features, other), packed(features, other))
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_copies_and_pickles_after_use_give_the_same():
    adjacency, x = random_graph(20, 40), torch.randn(20, 6)
    packed = freeze(trained(NetworkConfig(precision=make_precision("int2")), x, adjacency))
    expected = packed(x, adjacency)
    for copied in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert torch.equal(copied(x, adjacency), expected)


def test_weighted_graph_runs_step_by_step():
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    weights = torch.tensor([0.5, 0.5, 2.0, 2.0])
    adjacency = Adjacency.from_edge_index(edges, 3, weights)
    x = torch.rand(3, 4)
    network = trained(NetworkConfig(hidden_features=4, precision=PRESETS["int2"]), x, adjacency)
    with torch.no_grad():
        expected = network(x, adjacency)
    torch.testing.assert_close(freeze(network)(x, adjacency), expected)


def test_what_cannot_be_packed_is_refused():
    x, adjacency = torch.rand(8, 4), random_graph(8, 12)
    full = trained(NetworkConfig(hidden_features=4), x, adjacency)
    with pytest.raises(ValueError, match=r"full precision cannot be packed: train one with bits"):
        freeze(full)
    for stage in ("input", "weight", "activation", "message"):
        mixed = NetworkConfig(hidden_features=4, precision=make_precision("int2", {stage: 32}))
        with pytest.raises(ValueError, match=rf"bits of {stage} must be 2, 4 or 8 .*, got 32"):
            freeze(trained(mixed, x, adjacency))
    unrolled = NetworkConfig(
        hidden_features=4,
        precision=PRESETS["int2-paper"],
        propagation=PropagationConfig(propagation="unrolled_multiplier"),
    )
    with pytest.raises(ValueError, match="cannot be packed"):
        freeze(trained(unrolled, x, adjacency))
    untrained = QuantizedGNN(4, 2, NetworkConfig(precision=PRESETS["int2"]))
    with pytest.raises(RuntimeError, match="no range yet"):
        freeze(untrained)


def test_input_of_another_width_is_refused():
    x, adjacency = torch.rand(8, 4), random_graph(8, 12)
    packed = freeze(trained(NetworkConfig(precision=PRESETS["int2"]), x, adjacency))
    with pytest.raises(ValueError, match=r"x must be float32 of shape \(num_nodes, 4\)"):
        packed(torch.rand(8, 5), adjacency)


def test_running_a_packed_network_needs_neither_lightning_nor_pyg():
    code = (
        "import sys, qgnn_lightning.deploy; "
        "assert not {'lightning', 'torch_geometric', 'torchmetrics'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
