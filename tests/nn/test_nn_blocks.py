"""Evaluation block by block gives what evaluation at once gives."""

from __future__ import annotations

import pytest
import torch
from random_graphs import normal, ring_with_chords

from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN, _blocks
from qgnn_lightning.quantization import make_precision


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(_blocks, "ROWS_PER_BLOCK", 7)
    monkeypatch.setattr(_blocks, "ELEMENTS_PER_BLOCK", 1)


@pytest.mark.parametrize("order", ["encode", "embed"])
@pytest.mark.parametrize("bits", ["int2", "int8", "float32"])
@pytest.mark.parametrize("kind", ["smoothness_aware", "personalized", "unrolled_multiplier"])
def test_scores_do_not_depend_on_the_blocks(monkeypatch, order, bits, kind):
    config = NetworkConfig(
        hidden_features=19,
        order=order,
        precision=make_precision(bits),
        propagation=PropagationConfig(propagation=kind, num_steps=3),
    )
    network = QuantizedGNN(6, 11, config)
    x = normal(0, 40, 6, dtype=torch.float32)
    adjacency = ring_with_chords(40).adjacency(torch.float32)
    for _ in range(3):
        network.train()(x, adjacency)
    network.eval()
    with torch.no_grad():
        expected = network(x, adjacency)
        monkeypatch.setattr(_blocks, "ROWS_PER_BLOCK", 7)
        monkeypatch.setattr(_blocks, "ELEMENTS_PER_BLOCK", 1)
        found = network(x, adjacency)
    if bits == "float32":  # the order of the sums is the library's
        torch.testing.assert_close(found, expected)
    else:
        assert torch.equal(found, expected)


def test_rows_and_columns_come_in_blocks(small_blocks):
    rows, columns = [], []
    x = normal(0, 20, 19)

    def take_rows(block: torch.Tensor) -> torch.Tensor:
        rows.append(block.shape)
        return block[:, :2]

    def take_columns(block: torch.Tensor) -> torch.Tensor:
        columns.append(block.shape)
        return 2 * block

    assert torch.equal(_blocks.in_row_blocks(take_rows, x), x[:, :2])
    assert torch.equal(_blocks.in_column_blocks(take_columns, x), 2 * x)
    assert rows == [(7, 19), (7, 19), (6, 19)]
    assert columns == [(20, 8), (20, 8), (20, 3)]


def test_training_and_gradients_are_not_cut():
    layer = torch.nn.Linear(1, 1)
    with torch.no_grad():
        assert not _blocks.evaluates(layer)
        assert _blocks.evaluates(layer.eval())
    assert not _blocks.evaluates(layer)
