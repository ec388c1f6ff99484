"""The batch: a whole graph or a part of it, with its features, labels and split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from qgnn_lightning.data._features import select_rows
from qgnn_lightning.data._mask_validation import validate_masks
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import GraphDataError, validate_graph
from qgnn_lightning.graph import Adjacency, induced_subgraph

Stage = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """A graph with features, labels and a split of its nodes.

    Build it with :meth:`from_tensors`, which checks the content. Lightning moves it to the
    training device through :meth:`to`.

    Args:
        x: Features, dense or torch.sparse CSR, float32.
        adjacency: Neighbours of each node, self-loops included.
        y: Class of each node, int64.
        train_mask: Nodes to train on, bool.
        val_mask: Nodes to select the model on, bool.
        test_mask: Nodes to report the accuracy on, bool.
        node_ids: Number of each node in the graph it was taken from, int64.

    Shapes:
        x: ``(num_nodes, num_features)``; y, train_mask, val_mask, test_mask, node_ids:
        ``(num_nodes,)``.

    Raises:
        GraphDataError: If the parts disagree about the number of nodes.
    """

    x: Tensor
    adjacency: Adjacency
    y: Tensor
    train_mask: Tensor
    val_mask: Tensor
    test_mask: Tensor
    node_ids: Tensor

    def __post_init__(self) -> None:
        num_nodes = self.x.shape[0]
        if self.adjacency.num_nodes != num_nodes:
            raise GraphDataError(
                f"adjacency must have as many nodes as x ({num_nodes}), "
                f"got {self.adjacency.num_nodes}"
            )
        for name in ("y", "train_mask", "val_mask", "test_mask", "node_ids"):
            shape = tuple(getattr(self, name).shape)
            if shape != (num_nodes,):
                raise GraphDataError(f"{name} must have shape ({num_nodes},), got {shape}")

    @classmethod
    def from_tensors(
        cls,
        x: Tensor,
        edge_index: Tensor,
        y: Tensor,
        train_mask: Tensor,
        val_mask: Tensor,
        test_mask: Tensor,
        *,
        edge_weight: Tensor | None = None,
    ) -> GraphBatch:
        """Check the tensors of a graph and put them together.

        Args:
            x: Features, dense or torch.sparse CSR, finite.
            edge_index: Edges, integer, sources in row 0 and targets in row 1. List both
                directions of an undirected edge. Self-loops are added.
            y: Class of each node, integer, from 0 up; -1 where it is unknown.
            train_mask: Nodes to train on, bool.
            val_mask: Nodes to select the model on, bool.
            test_mask: Nodes to report the accuracy on, bool.
            edge_weight: Positive weights, or ``None`` for an unweighted graph.

        Shapes:
            x: ``(num_nodes, num_features)``; edge_index: ``(2, num_edges)``; y and masks:
            ``(num_nodes,)``; edge_weight: ``(num_edges,)``.

        Raises:
            TypeError: If one is no tensor.
            GraphDataError: If the tensors are not as described.
        """
        validate_graph(x, edge_index, y, edge_weight=edge_weight)
        validate_masks(y, train_mask, val_mask, test_mask)
        return assemble(x, edge_index, y, Split(train_mask, val_mask, test_mask), edge_weight)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.x.shape[0]

    @property
    def num_features(self) -> int:
        """Number of features per node."""
        return self.x.shape[1]

    @property
    def num_classes(self) -> int:
        """Number of classes: the largest label plus one."""
        return int(self.y.max()) + 1

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.y.device

    def mask(self, split: Stage) -> Tensor:
        """The nodes of a part of the split.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            ValueError: If there is no such part.
        """
        masks = {"train": self.train_mask, "val": self.val_mask, "test": self.test_mask}
        if split not in masks:
            raise ValueError(f"split must be one of {', '.join(masks)}, got {split!r}")
        return masks[split]

    def subgraph(self, nodes: Tensor) -> GraphBatch:
        """A part of the graph, whose nodes keep their numbers and their degrees in the whole.

        Args:
            nodes: Nodes to keep, ascending, each once.

        Shapes:
            nodes: ``(num_kept,)``.
        """
        return GraphBatch(
            x=select_rows(self.x, nodes),
            adjacency=induced_subgraph(self.adjacency, nodes),
            y=self.y[nodes],
            train_mask=self.train_mask[nodes],
            val_mask=self.val_mask[nodes],
            test_mask=self.test_mask[nodes],
            node_ids=self.node_ids[nodes],
        )

    def to(self, device: torch.device | str, **kwargs: Any) -> GraphBatch:
        """Copy to a device; the same object where it is there already."""
        if self.device == torch.device(device):
            return self
        return GraphBatch(
            x=self.x.to(device, **kwargs),
            adjacency=self.adjacency.to(device, **kwargs),
            y=self.y.to(device, **kwargs),
            train_mask=self.train_mask.to(device, **kwargs),
            val_mask=self.val_mask.to(device, **kwargs),
            test_mask=self.test_mask.to(device, **kwargs),
            node_ids=self.node_ids.to(device, **kwargs),
        )


def assemble(
    x: Tensor, edge_index: Tensor, y: Tensor, split: Split, edge_weight: Tensor | None
) -> GraphBatch:
    """Make a batch of tensors that were checked."""
    num_nodes = x.shape[0]
    return GraphBatch(
        x=x.to(torch.float32),
        adjacency=Adjacency.from_edge_index(edge_index, num_nodes, edge_weight),
        y=y.to(torch.int64),
        train_mask=split.train_mask,
        val_mask=split.val_mask,
        test_mask=split.test_mask,
        node_ids=torch.arange(num_nodes, device=y.device),
    )
