"""From a source to a graph that can be worked on: read, checked, split, with its classes named."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple

import torch

from qgnn_lightning.data._batch import GraphBatch, assemble
from qgnn_lightning.data._classes import TrainedClasses
from qgnn_lightning.data._features import normalize_rows
from qgnn_lightning.data._mask_validation import validate_masks
from qgnn_lightning.data._raw_graph import GraphNames, RawGraph
from qgnn_lightning.data._sources import Source
from qgnn_lightning.data._split_sizes import SplitSizes
from qgnn_lightning.data._splits import Split, class_sizes, random_split
from qgnn_lightning.data._validation import (
    PARTS,
    TESTED_PARTS,
    GraphOptionError,
    check_known_classes,
    check_several_classes,
    validate_graph,
)


class ReadGraph(NamedTuple):
    """A graph, and what its nodes and classes are called."""

    graph: GraphBatch
    names: GraphNames


@dataclass(frozen=True)
class GraphReader:
    """Reads the graph of a source.

    Args:
        source: The source.
        title: What the graph is called in messages.
        split: ``public``, the split that comes with the graph, or ``random``.
        sizes: How many nodes a random split takes.
        split_seed: Seed of the random split alone.
        normalize_features: Whether bags of words are divided by their sum.
    """

    source: Source
    title: str
    split: Literal["public", "random"]
    sizes: SplitSizes
    split_seed: int
    normalize_features: bool

    def read(self) -> RawGraph:
        """Read and check the graph as its source has it.

        Raises:
            GraphDataError: If the graph cannot be read or is not valid.
        """
        return _checked(self.source.load())

    def read_to_describe(self) -> tuple[RawGraph, Split | None]:
        """Read and check a graph and its split, if it has one, whatever they are good for.

        Raises:
            GraphDataError: If they cannot be read or are not valid.
        """
        raw = _checked(self.source.load_to_describe())
        check_known_classes(raw.y, self.title)
        if raw.split is None and self.split == "public":
            return raw, None
        return raw, self.choose_split(raw, TESTED_PARTS)

    def load(self, classes: TrainedClasses | None) -> ReadGraph:
        """Read the graph and its split.

        Args:
            classes: The classes of a network, which number and name those of the graph.

        Raises:
            GraphDataError: If the graph cannot be read or is not valid, has no such split, or has
                classes or features that the network does not know.
        """
        raw = self.read()
        return self._numbered(raw, self.choose_split(raw), classes)

    def load_to_test(self, classes: TrainedClasses | None) -> ReadGraph:
        """As :meth:`load`, where of the parts of the split only the test nodes are needed.

        Args:
            classes: The classes of the network that is tested.

        Raises:
            GraphDataError: As for :meth:`load`.
        """
        raw = _checked(self.source.load_to_test())
        return self._numbered(raw, self.choose_split(raw, TESTED_PARTS), classes)

    def load_to_predict(self, classes: TrainedClasses | None) -> ReadGraph:
        """Read the graph alone: no label is looked at, and no node is in a part of a split.

        Args:
            classes: The classes of the network that predicts.

        Raises:
            GraphDataError: If the graph cannot be read or is not valid, or has features that
                the network does not know.
        """
        raw = _checked(self.source.load_to_predict())
        if classes is not None:
            raw = classes.arranged(raw, self.title)
        unknown = torch.full_like(raw.y, -1, dtype=torch.int64)
        nothing = torch.zeros_like(raw.y, dtype=torch.bool)
        graph = self._assemble(replace(raw, y=unknown), Split(nothing, nothing, nothing))
        return ReadGraph(graph, raw.names)

    def choose_split(self, raw: RawGraph, needed: Collection[str] = PARTS) -> Split:
        """The split that came with a graph, or the one that is drawn.

        Args:
            raw: What :meth:`read` gave.
            needed: The parts that must have a node.

        Raises:
            GraphDataError: If there is none, it is not valid, or no labels can be told apart.
        """
        check_several_classes(raw.y, self.title)
        if self.split == "random":
            split = random_split(raw.y.long(), **asdict(self.sizes), seed=self.split_seed)
        elif raw.split is not None:
            split = raw.split
        else:
            advice = self.sizes.advice(class_sizes(raw.y).tolist())
            better = "give it one that names its test nodes, or " if needed == TESTED_PARTS else ""
            raise GraphOptionError(f"{self.title} has no public split: {better}{advice}")
        validate_masks(raw.y, split.train_mask, split.val_mask, split.test_mask, needed)
        return split

    def _numbered(self, raw: RawGraph, split: Split, classes: TrainedClasses | None) -> ReadGraph:
        """The graph, whose classes and features are those of a network, where there is one."""
        if classes is None:
            return ReadGraph(self._assemble(raw, split), raw.names)
        y = classes.numbers(raw, self.title)
        raw = classes.arranged(raw, self.title)
        return ReadGraph(self._assemble(replace(raw, y=y), split), raw.names)

    def _assemble(self, raw: RawGraph, split: Split) -> GraphBatch:
        normalize = self.normalize_features and raw.bag_of_words
        x = normalize_rows(raw.x) if normalize else raw.x
        return assemble(x, raw.edge_index, raw.y, split, raw.edge_weight)


def _checked(raw: RawGraph) -> RawGraph:
    validate_graph(raw.x, raw.edge_index, raw.y, edge_weight=raw.edge_weight)
    return raw
