"""What a source delivers: a graph as it was published, before any preparation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from qgnn_lightning.data._splits import Split


@dataclass(frozen=True)
class GraphNames:
    """What the source calls nodes, classes and features; ``None`` where they only have numbers.

    Args:
        nodes: Name of each node.
        classes: Name of each class.
        columns: Name of each feature, all of them different.
        columns_file: The file that names the features.
    """

    nodes: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    columns_file: Path | None = None


@dataclass(frozen=True, eq=False)
class RawGraph:
    """A graph as its source has it, not yet checked.

    Args:
        x: Features, dense or torch.sparse CSR.
        edge_index: Edges, sources in row 0 and targets in row 1.
        y: Class of each node.
        split: The published split, or ``None`` where there is none.
        edge_weight: Weights of the edges, or ``None``.
        bag_of_words: Whether the features count words, so that rows may be normalised.
        names: Names of nodes, classes and features.

    Shapes:
        x: ``(num_nodes, num_features)``; edge_index: ``(2, num_edges)``; y: ``(num_nodes,)``;
        edge_weight: ``(num_edges,)``.
    """

    x: Tensor
    edge_index: Tensor
    y: Tensor
    split: Split | None = None
    edge_weight: Tensor | None = None
    bag_of_words: bool = False
    names: GraphNames = GraphNames()
