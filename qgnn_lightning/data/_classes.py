"""The classes and features of a trained network, and which ones of another graph they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.data._columns import in_order
from qgnn_lightning.data._raw_graph import GraphNames, RawGraph
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

_KEY = "class_names"
_COLUMNS_KEY = "column_names"
_MOST_SHOWN = 10


@dataclass(frozen=True)
class TrainedClasses:
    """What a trained network tells apart, and by which features.

    Args:
        count: Number of classes.
        names: What they are called, or ``None`` where they have numbers only.
        columns: What its features are called, or ``None`` where they have numbers only.

    Raises:
        GraphDataError: If the names are not one text per class, or those of the features, all of
            them different.
    """

    count: int
    names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = self.names
        if names is not None and (len(names), len(set(names))) != (self.count, self.count):
            raise GraphDataError(f"{_KEY} must be {self.count} different texts")
        columns = self.columns
        if columns is not None and len(columns) != len(set(columns)):
            raise GraphDataError(f"{_COLUMNS_KEY} must be different texts")

    @classmethod
    def stored(
        cls, state: Mapping[str, Any], count: int | None = None, width: int | None = None
    ) -> TrainedClasses:
        """The classes in a checkpoint.

        Args:
            state: The state of the data module in it.
            count: Number of classes of the network; by default as many as there are names.
            width: Number of its features; by default not compared.

        Raises:
            GraphDataError: If it is damaged.
        """
        names, columns = _texts(state, _KEY), _texts(state, _COLUMNS_KEY)
        if columns is not None and width not in (None, len(columns)):
            raise GraphDataError(f"{_COLUMNS_KEY} must be {width} different texts")
        return cls(len(names or ()) if count is None else count, names, columns)

    @staticmethod
    def state(names: GraphNames) -> dict[str, Any]:
        """What :meth:`stored` reads.

        Args:
            names: What the classes and features are called.
        """
        state = {_KEY: names.classes, _COLUMNS_KEY: names.columns}
        return {key: list(texts) for key, texts in state.items() if texts is not None}

    def arranged(self, raw: RawGraph, title: str) -> RawGraph:
        """A graph with its features in the order of the network, and with the network's names.

        Args:
            raw: The graph.
            title: What it is called in the message.

        Raises:
            GraphOptionError: If the graph has features of other names.
        """
        ordered = in_order(raw, self.columns, title)
        return replace(ordered, names=replace(ordered.names, classes=self.names))

    def numbers(self, raw: RawGraph, title: str) -> Tensor:
        """The labels of a graph as the network numbers them.

        Classes that have names on both sides are compared by name, others by number.

        Args:
            raw: The graph.
            title: What it is called in the message.

        Shapes:
            ``(num_nodes,)``, int64.

        Raises:
            GraphOptionError: If the graph has a class that the network does not know.
        """
        y, names = raw.y.long(), raw.names.classes
        if self.names is None or names is None:
            found = int(y.max()) + 1
            if found > self.count:
                raise GraphOptionError(
                    f"{title} has {found} classes, the network was trained on {self.count}"
                )
            return y
        unknown = [name for name in names if name not in self.names]
        if unknown:
            known = ", ".join(self.names[:_MOST_SHOWN])
            more = self.count - _MOST_SHOWN
            raise GraphOptionError(
                f"{title} has the class {unknown[0]}, which the network was not trained on; it "
                f"knows {known}{f' and {more} more' if more > 0 else ''}"
            )
        # One more for -1, which stays what it is.
        number = torch.tensor([*map(self.names.index, names), -1])
        return number[y]


def _texts(state: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    names = state.get(key)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise GraphDataError(f"{key} must be a list of texts")
    return tuple(names)
