"""Batches of several parts of a graph, other ones in every epoch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from qgnn_lightning.data._batch import GraphBatch
from qgnn_lightning.data._epoch_sampler import EpochSampler
from qgnn_lightning.data._partition import PartitionOptions
from qgnn_lightning.data._validation import GraphOptionError


class PartitionSampler(EpochSampler):
    """Which parts make the batches of an epoch, for one of several processes.

    All parts are shuffled and dealt out evenly: every process gets as many batches, and every
    part is in exactly one batch of one process. The order depends on the seed and the epoch
    alone, so all processes agree on it, and a continued run goes on with it.

    Args:
        options: How many parts, and how many of them in a batch.
        rank: Number of this process.
        world_size: Number of processes.

    Raises:
        GraphDataError: If the parts cannot be dealt out evenly.
    """

    def __init__(self, options: PartitionOptions, rank: int = 0, world_size: int = 1) -> None:
        if options.num_partitions % world_size:
            raise GraphOptionError(
                f"num_partitions must be a multiple of the {world_size} devices, "
                f"got {options.num_partitions}"
            )
        super().__init__(rank, world_size)
        self._options = options

    def __len__(self) -> int:
        own = self._options.num_partitions // self._world_size
        return -(-own // self._options.partitions_per_batch)

    def __iter__(self) -> Iterator[list[int]]:
        draw = torch.Generator().manual_seed((self._options.seed << 32) + self._epoch)
        shuffled = torch.randperm(self._options.num_partitions, generator=draw)
        own = shuffled[self._rank :: self._world_size]
        return iter([parts.tolist() for parts in own.tensor_split(len(self))])


class PartitionLoader:
    """Yield the union of some parts at a time, with all edges between their nodes.

    Args:
        graph: The whole graph.
        parts: Nodes of each part.
        sampler: Which parts make a batch.
    """

    def __init__(self, graph: GraphBatch, parts: list[Tensor], sampler: PartitionSampler) -> None:
        self._graph = graph
        self._parts = parts
        self.sampler = sampler  # under this name Lightning finds it

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[GraphBatch]:
        for numbers in self.sampler:
            nodes = torch.cat([self._parts[number] for number in numbers]).sort().values
            yield self._graph.subgraph(nodes)
