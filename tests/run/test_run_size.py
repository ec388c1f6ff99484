"""Bytes, counted by hand."""

from __future__ import annotations

import pytest

from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN
from qgnn_lightning.quantization import make_precision
from qgnn_lightning.run import float32_size, network_summary, packed_size


def _network(bits: str, **options) -> QuantizedGNN:
    propagation = PropagationConfig(propagation="personalized", num_steps=4)
    config = NetworkConfig(
        hidden_features=6, precision=make_precision(bits), propagation=propagation, **options
    )
    return QuantizedGNN(11, 3, config)


def test_float32():
    network = _network("float32")
    size = 4 * (6 * 11 + 6 + 3 * 6 + 3)
    assert float32_size(network) == packed_size(network) == size
    assert float32_size(network) == sum(4 * one.numel() for one in network.parameters())


@pytest.mark.parametrize(("bits", "rows"), [("int2", (3, 2)), ("int4", (6, 3)), ("int8", (11, 6))])
def test_packed(bits, rows):
    # Two inputs and four messages have a grid each, weights one per row.
    grids = 2 + 4 + 6 + 3
    expected = 6 * rows[0] + 3 * rows[1] + 4 * (6 + 3) + 8 * grids
    assert packed_size(_network(bits)) == expected
    whole = packed_size(_network(bits, per_channel_weights=False))
    assert whole == expected - 8 * (6 + 3 - 2)


def test_a_summary_is_plain_and_says_how_messages_are_sent():
    summary = network_summary(_network("int2"))
    assert summary["bits"] == {
        "input": 2, "weight": 2, "activation": 2, "message": 2, "aggregate": 32, "update": 32,
    }  # fmt: skip
    assert summary["messages"] == "delta_sigma"
    assert network_summary(_network("int8"))["messages"] == "direct"
    assert summary["num_steps"] == 4
