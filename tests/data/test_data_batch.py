"""The batch: what it holds, and that moving it keeps everything."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from qgnn_lightning.data import GraphBatch, GraphDataError
from qgnn_lightning.data._features import sparsify


def test_types_are_those_of_training(tensors):
    parts = tensors()
    parts |= {
        "x": parts["x"].double(),
        "y": parts["y"].int(),
        "edge_index": parts["edge_index"].int(),
    }
    batch = GraphBatch.from_tensors(**parts)
    assert batch.x.dtype == torch.float32
    assert batch.y.dtype == batch.node_ids.dtype == torch.int64
    assert (batch.num_nodes, batch.num_features, batch.num_classes) == (12, 5, 3)
    assert torch.equal(batch.node_ids, torch.arange(12))


def test_the_adjacency_has_the_edges_and_self_loops(tensors):
    parts = tensors()
    expected = torch.eye(12)
    expected[parts["edge_index"][1], parts["edge_index"][0]] = 1
    adjacency = GraphBatch.from_tensors(**parts).adjacency
    assert torch.equal(adjacency.matrix(torch.float32).to_dense(), expected)
    weighted = GraphBatch.from_tensors(**parts, edge_weight=torch.full((24,), 2.0)).adjacency
    assert torch.equal(weighted.matrix(torch.float32).to_dense(), 2 * expected - torch.eye(12))


def test_renumbering_the_nodes_renumbers_the_batch(tensors):
    parts = tensors()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    renumbered = {name: part[order] for name, part in parts.items() if name != "edge_index"}
    renumbered["edge_index"] = order.argsort()[parts["edge_index"]]
    batch, other = GraphBatch.from_tensors(**parts), GraphBatch.from_tensors(**renumbered)
    dense = batch.adjacency.matrix(torch.float32).to_dense()
    assert torch.equal(other.adjacency.matrix(torch.float32).to_dense(), dense[order][:, order])
    assert torch.equal(other.mask("val"), batch.mask("val")[order])


def test_mask_names_the_parts_of_the_split(tensors):
    batch = GraphBatch.from_tensors(**tensors())
    assert batch.mask("train") is batch.train_mask
    assert batch.mask("val") is batch.val_mask
    assert batch.mask("test") is batch.test_mask
    with pytest.raises(ValueError, match="split must be one of train, val, test, got 'valid'"):
        batch.mask("valid")


def test_a_batch_is_frozen_and_its_parts_agree(tensors):
    batch = GraphBatch.from_tensors(**tensors())
    with pytest.raises(FrozenInstanceError):
        batch.x = batch.x
    with pytest.raises(
        GraphDataError, match=r"adjacency must have as many nodes as x \(11\), got 12"
    ):
        replace(batch, x=batch.x[1:])
    with pytest.raises(GraphDataError, match=r"y must have shape \(12,\), got \(11,\)"):
        replace(batch, y=batch.y[1:])


def test_moving_to_the_same_device_is_free(tensors):
    batch = GraphBatch.from_tensors(**tensors())
    assert batch.to("cpu") is batch
    assert move_data_to_device(batch, torch.device("cpu")) is batch


@pytest.mark.parametrize("sparse", [False, True])
def test_lightning_moves_every_tensor(tensors, sparse):
    x = torch.eye(12, 30)
    batch = GraphBatch.from_tensors(**tensors(x=sparsify(x) if sparse else x))
    moved = move_data_to_device(batch, torch.device("meta"))
    assert isinstance(moved, GraphBatch)
    assert moved.x.layout == (torch.sparse_csr if sparse else torch.strided)
    for part in (moved, moved.adjacency):
        values = [getattr(part, field.name) for field in fields(part)]
        assert {v.device.type for v in values if isinstance(v, Tensor)} == {"meta"}
