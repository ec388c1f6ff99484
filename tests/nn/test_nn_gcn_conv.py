"""The quantized graph convolution: PyG's in full precision, integers otherwise."""

from __future__ import annotations

import pytest
import torch
from random_graphs import normal, ring_with_chords

from qgnn_lightning.graph import sparse_csr
from qgnn_lightning.nn import PropagationConfig, QuantizedGCNConv, make_propagation
from qgnn_lightning.quantization import PRESETS, Precision

NUM_NODES = 23
GRAPH = ring_with_chords(NUM_NODES)
#: Each edge once, as PyG counts duplicates twice.
EDGES = GRAPH.adjacency().row != GRAPH.adjacency().col
EDGE_INDEX = torch.stack([GRAPH.adjacency().col, GRAPH.adjacency().row])[:, EDGES]
X = normal(0, NUM_NODES, 6, dtype=torch.float32)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("directed", [True, False])
def test_full_precision_is_pygs_layer(bias, weighted, directed):
    from torch_geometric.nn import GCNConv

    edge_index = EDGE_INDEX[:, ::3] if directed else EDGE_INDEX
    weight = normal(1, edge_index.shape[1]).abs().float() + 0.1 if weighted else None
    ours, theirs = QuantizedGCNConv(6, 4, bias=bias), GCNConv(6, 4, bias=bias)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(X, edge_index, weight), theirs(X, edge_index, weight))
    loss = [layer(X, edge_index, weight).square().sum() for layer in (ours, theirs)]
    for one in loss:
        one.backward()
    torch.testing.assert_close(ours.lin.weight.grad, theirs.lin.weight.grad, rtol=1e-4, atol=1e-4)


def test_it_starts_as_pygs_layer_does():
    from torch_geometric.nn import GCNConv

    torch.manual_seed(0)
    ours = QuantizedGCNConv(300, 200).lin.weight
    theirs = GCNConv(300, 200).lin.weight
    limit = (6 / 500) ** 0.5
    for weight in (ours, theirs):
        assert weight.abs().max() <= limit
        assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert not QuantizedGCNConv(3, 2).bias.any()


def test_a_preset_may_be_named():
    def stages(precision):
        conv = QuantizedGCNConv(6, 4, precision=precision)
        quantizers = (conv.lin.input_quantizer, conv.lin.weight_quantizer, conv.message_quantizer)
        return [quantizer.num_bits for quantizer in quantizers]

    assert stages("int4") == stages(PRESETS["int4"]) == [4, 4, 4]
    propagation = make_propagation(PropagationConfig(num_steps=2), "int2")
    assert [one.num_bits for one in propagation.messages.quantizers] == [2, 2]


@pytest.mark.parametrize("wrong", ["int3", 4, {"weight": 4}])
def test_another_precision_is_refused_in_words(wrong):
    for make in (
        lambda: QuantizedGCNConv(6, 4, precision=wrong),
        lambda: make_propagation(PropagationConfig(), wrong),
    ):
        with pytest.raises(ValueError, match=r"^precision must be a Precision.*, got ") as caught:
            make()
        assert str(caught.value).endswith(f"got {wrong!r}")
        assert "'int4'" in str(caught.value)


@pytest.mark.parametrize("bits", ["int8", "int4", "int2", "int2-paper"])
def test_messages_are_sums_of_codes(bits):
    precision = PRESETS[bits]
    conv = QuantizedGCNConv(6, 4, precision=precision)
    with torch.no_grad():
        conv.bias.copy_(normal(2, 4).float())
        conv(X, EDGE_INDEX)
        conv.eval()
        found = conv(X, EDGE_INDEX)
    features = conv.lin.input_quantizer.fake_quantize(X).double()
    weight = conv.lin.weight_quantizer.fake_quantize(conv.lin.weight).double()
    adjacency = GRAPH.dense()
    root = adjacency.sum(1, keepdim=True).sqrt()
    grid = conv.message_quantizer.grid()
    codes = grid.codes((features @ weight.t() / root).float()).double()
    assert codes.max() < 2**precision.message
    total = adjacency @ codes - grid.zero_point * adjacency.sum(1, keepdim=True)
    received = conv.aggregate_quantizer.fake_quantize((total * grid.scale / root).float())
    expected = conv.update_quantizer.fake_quantize(received + conv.bias)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-5)


def test_sparse_features_give_what_dense_ones_give():
    x = torch.where(X > 0.3, X, 0.0)
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), (x != 0).sum(1).cumsum(0)])
    sparse = sparse_csr(rowptr, x.nonzero()[:, 1], x[x != 0], tuple(x.shape))
    conv = QuantizedGCNConv(6, 4, precision=Precision.operands(4), quantizer="min_max")
    conv(x, EDGE_INDEX)
    conv.eval()
    torch.testing.assert_close(conv(sparse, EDGE_INDEX), conv(x, EDGE_INDEX))


def test_an_adjacency_built_once_is_the_same_and_brings_its_weights():
    conv = QuantizedGCNConv(6, 4)
    adjacency = GRAPH.adjacency(torch.float32)
    assert torch.equal(conv(X, adjacency), conv(X, EDGE_INDEX))
    with pytest.raises(ValueError, match="edge_weight must be None where edge_index is an Adj"):
        conv(X, adjacency, torch.ones(adjacency.num_edges))


def test_dropout_comes_after_the_quantizer():
    conv = QuantizedGCNConv(6, 4, precision=Precision.operands(4), dropout=0.9, quantizer="min_max")
    conv(X, EDGE_INDEX)
    tracked = conv.lin.input_quantizer.range
    assert (tracked.minimum, tracked.maximum) == (X.min(), X.max())


def test_degree_quant_spares_nodes_in_every_stage_of_nodes_and_no_weight():
    torch.manual_seed(0)
    conv = QuantizedGCNConv(
        6, 4, precision=PRESETS["int2-paper"], quantizer="degree_quant",
        weight_quantizer="degree_quant",
    )  # fmt: skip
    nodes = [
        conv.lin.input_quantizer, conv.message_quantizer, conv.aggregate_quantizer,
        conv.update_quantizer,
    ]  # fmt: skip
    seen = {}
    for quantizer in [*nodes, conv.lin.weight_quantizer]:
        quantizer.lowest_probability = quantizer.highest_probability = 0.5
        quantizer.register_forward_hook(
            lambda q, args, out: seen.__setitem__(q, (args[0].detach(), out.value.detach()))
        )
    conv(X, EDGE_INDEX)
    unchanged = [(seen[q][0] - seen[q][1]).abs().amax(1) < 1e-6 for q in nodes]
    assert 4 < unchanged[0].sum() < 19
    # One mask for the layer: whatever is spared in one stage is spared in all.
    for other in unchanged[1:]:
        assert (other | ~unchanged[0]).all()
    weight, quantized = seen[conv.lin.weight_quantizer]
    assert ((weight - quantized).abs() > 1e-6).any(1).all()
