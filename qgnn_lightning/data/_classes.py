"""The classes of a trained network, and which labels of another graph they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

_KEY = "class_names"
_MOST_SHOWN = 10


@dataclass(frozen=True)
class TrainedClasses:
    """What a trained network tells apart.

    Args:
        count: Number of classes.
        names: What they are called, or ``None`` where they have numbers only.

    Raises:
        GraphDataError: If the names are not one text per class, all of them different.
    """

    count: int
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = self.names
        if names is not None and (len(names), len(set(names))) != (self.count, self.count):
            raise GraphDataError(f"{_KEY} must be {self.count} different texts")

    @classmethod
    def stored(cls, state: Mapping[str, Any], count: int | None = None) -> TrainedClasses:
        """The classes in a checkpoint.

        Args:
            state: The state of the data module in it.
            count: Number of classes of the network; by default as many as there are names.

        Raises:
            GraphDataError: If it is damaged.
        """
        names = state.get(_KEY)
        if names is None:
            return cls(count or 0)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise GraphDataError(f"{_KEY} must be a list of texts")
        return cls(len(names) if count is None else count, tuple(names))

    @staticmethod
    def state(names: tuple[str, ...] | None) -> dict[str, Any]:
        """What :meth:`stored` reads.

        Args:
            names: What the classes are called, or ``None``.
        """
        return {} if names is None else {_KEY: list(names)}

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
