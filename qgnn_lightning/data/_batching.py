"""What a training sees of a graph in one step: all of it, some parts, or some neighbourhoods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal, Protocol, get_args

from torch import Tensor

from qgnn_lightning.data._batch import GraphBatch
from qgnn_lightning.data._loader import FullGraphLoader
from qgnn_lightning.data._neighbor_loader import NeighborLoader, NeighborOptions, SeedSampler
from qgnn_lightning.data._partition import PartitionOptions, partition
from qgnn_lightning.data._partition_loader import PartitionLoader, PartitionSampler
from qgnn_lightning.data._validation import GraphDataError

BatchingName = Literal["full", "partitions", "neighbors"]
TrainLoader = FullGraphLoader | PartitionLoader | NeighborLoader

_MOST_STEPS = 10_000
#: Number of a process, and of all processes.
Place = tuple[int, int]


class Batching(Protocol):
    """How the batches of a training are made."""

    #: Whether several processes can share the work.
    shared: ClassVar[bool]

    def prepare(self, graph: GraphBatch, place: Place) -> None:
        """Work out, once, what the loader needs; refuse what cannot be dealt out."""

    def loader(self, graph: GraphBatch, place: Place) -> TrainLoader:
        """The batches of one process."""


class FullBatching:
    """The whole graph in every step.

    Args:
        steps_per_epoch: How often an epoch yields it, at least 1.
    """

    shared: ClassVar[bool] = False

    def __init__(self, steps_per_epoch: int) -> None:
        self._steps_per_epoch = steps_per_epoch

    def prepare(self, graph: GraphBatch, place: Place) -> None:
        """Nothing to do."""

    def loader(self, graph: GraphBatch, place: Place) -> TrainLoader:
        return FullGraphLoader(graph, self._steps_per_epoch)


class PartitionBatching:
    """The union of several parts in every step.

    Args:
        options: How the graph is cut.
        cache_dir: Where the parts are kept.
    """

    shared: ClassVar[bool] = True

    def __init__(self, options: PartitionOptions, cache_dir: Path) -> None:
        self._options = options
        self._cache_dir = cache_dir
        self._parts: list[Tensor] | None = None

    def prepare(self, graph: GraphBatch, place: Place) -> None:
        if self._parts is None:
            PartitionSampler(self._options, *place)  # refuses parts that cannot be dealt out
            self._parts = partition(graph.adjacency, self._options, self._cache_dir)

    def loader(self, graph: GraphBatch, place: Place) -> TrainLoader:
        self.prepare(graph, place)
        assert self._parts is not None
        return PartitionLoader(graph, self._parts, PartitionSampler(self._options, *place))


class NeighborBatching:
    """Some training nodes and nodes drawn around them in every step.

    Args:
        options: How many of them.
    """

    shared: ClassVar[bool] = True

    def __init__(self, options: NeighborOptions) -> None:
        self._options = options

    def prepare(self, graph: GraphBatch, place: Place) -> None:
        """Nothing to do."""

    def loader(self, graph: GraphBatch, place: Place) -> TrainLoader:
        train = graph.train_mask.nonzero().flatten()
        return NeighborLoader(graph, self._options, SeedSampler(train, self._options, *place))


def make_batching(
    name: BatchingName,
    *,
    steps_per_epoch: int,
    partitions: Callable[[], PartitionOptions],
    neighbors: Callable[[], NeighborOptions],
    cache_dir: Path,
) -> Batching:
    """Make one of the ways above.

    Args:
        name: Which one.
        steps_per_epoch: How often ``full`` yields the graph, from 1 to 10,000.
        partitions: Makes the options of ``partitions``.
        neighbors: Makes the options of ``neighbors``.
        cache_dir: Where parts are kept.

    Raises:
        GraphDataError: If an argument is outside its range.
    """
    if name not in get_args(BatchingName):
        raise GraphDataError(f"batching must be 'full', 'partitions' or 'neighbors', got {name!r}")
    if not 1 <= steps_per_epoch <= _MOST_STEPS:
        raise GraphDataError(
            f"steps_per_epoch must be from 1 to {_MOST_STEPS:,}, got {steps_per_epoch}: "
            "between epochs alone a network is evaluated and kept"
        )
    if name == "full":
        return FullBatching(steps_per_epoch)
    if steps_per_epoch > 1:
        raise GraphDataError(
            f"steps_per_epoch must be 1 with batching {name!r}, got {steps_per_epoch}: "
            "an epoch is one pass over the training nodes"
        )
    if name == "partitions":
        return PartitionBatching(partitions(), cache_dir)
    return NeighborBatching(neighbors())
