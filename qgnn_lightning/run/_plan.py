"""What a training keeps in memory, from one pass of a copy of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from qgnn_lightning.data import GraphBatch, GraphNames
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run._results import network_summary
from qgnn_lightning.run._size import file_size

#: Adam keeps two numbers per parameter.
_ADAM_STATES = 2


@dataclass(frozen=True)
class TrainingPlan:
    """Sizes of a training on a whole graph.

    Args:
        summary: Bits, messages and size of the network.
        file_bytes: Of the packed file, more if multipliers act in the end; ``None`` where there is
            no packed form.
        num_nodes: Nodes of the graph.
        num_edges: Entries of its adjacency, self-loops included.
        state_bytes: Weights, buffers, gradients and the optimizer's states.
        activation_bytes: What the forward pass keeps for the gradients.
        graph_bytes: Features, adjacency, labels and masks.
    """

    summary: dict[str, Any]
    file_bytes: int | None
    num_nodes: int
    num_edges: int
    state_bytes: int
    activation_bytes: int
    graph_bytes: int

    @property
    def peak_bytes(self) -> int:
        """Tensors that are there at the same time, at the start of the backward pass."""
        return self.state_bytes + self.activation_bytes + self.graph_bytes


def plan_training(
    model: NodeClassifier, batch: GraphBatch, names: GraphNames | None = None
) -> TrainingPlan:
    """Try one pass of a network of the same shape; the model is left alone.

    Args:
        model: The model, with or without a network.
        batch: The graph.
        names: What its classes and features are called, where they have names.
    """
    sizes = {"num_features": batch.num_features, "num_classes": batch.num_classes}
    network = NodeClassifier(**{**dict(model.hparams), **sizes}).network
    _loss(network, batch)  # the quantizers look for their ranges
    kept = _kept_bytes(network, batch)
    weights = sum(map(_num_bytes, network.parameters()))
    return TrainingPlan(
        summary=network_summary(network),
        file_bytes=file_size(network, names or GraphNames()),
        num_nodes=batch.num_nodes,
        num_edges=batch.adjacency.num_edges,
        state_bytes=(2 + _ADAM_STATES) * weights + sum(map(_num_bytes, network.buffers())),
        activation_bytes=kept,
        graph_bytes=sum(map(_num_bytes, _graph_tensors(batch))),
    )


def _loss(network: nn.Module, batch: GraphBatch) -> Tensor:
    scores = network(batch.x, batch.adjacency)[batch.train_mask]
    return nn.functional.cross_entropy(scores, batch.y[batch.train_mask])


def _kept_bytes(network: nn.Module, batch: GraphBatch) -> int:
    """Bytes that autograd holds between the two passes, each piece of memory once.

    Weights, buffers and the graph are there anyway and do not count.
    """
    there = [*network.parameters(), *network.buffers(), *_graph_tensors(batch)]
    known = {tensor.untyped_storage().data_ptr() for tensor in there}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.layout == torch.strided:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in known:
                kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        loss = _loss(network, batch)
    del loss  # what is kept, is kept until here
    return sum(kept.values())


def _graph_tensors(batch: GraphBatch) -> list[Tensor]:
    adjacency = batch.adjacency
    x = [batch.x]
    if batch.x.layout == torch.sparse_csr:
        x = [batch.x.crow_indices(), batch.x.col_indices(), batch.x.values()]
    tensors = [*x, batch.y, batch.train_mask, batch.val_mask, batch.test_mask, batch.node_ids]
    tensors += [adjacency.rowptr, adjacency.col, adjacency.degree]
    return tensors if adjacency.value is None else [*tensors, adjacency.value]


def _num_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
