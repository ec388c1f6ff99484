"""The loader of a full graph."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from qgnn_lightning.data._batch import GraphBatch


class FullGraphLoader:
    """Yield one graph a number of times per epoch.

    An iterable of its own and not a ``DataLoader``: there is nothing to sample, collate or
    fetch in workers, and a new iterator costs less than a microsecond.

    Args:
        graph: The graph.
        num_batches: How often an epoch yields it.
    """

    def __init__(self, graph: GraphBatch, num_batches: int) -> None:
        self._graph = graph
        self._num_batches = num_batches

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[GraphBatch]:
        return repeat(self._graph, self._num_batches)
