"""Batches of training nodes with the nodes around them, for propagations of few steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from qgnn_lightning.data._batch import GraphBatch
from qgnn_lightning.data._epoch_sampler import EpochSampler
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError
from qgnn_lightning.graph import Adjacency, entries_of_rows


@dataclass(frozen=True)
class NeighborOptions:
    """How many nodes a batch has.

    Args:
        seeds_per_batch: Training nodes in a batch, at least 1.
        num_hops: Distance from them up to which nodes are drawn, at least 1.
        num_neighbors: Neighbours that are drawn of a node, at most; at least 1.
        seed: Seed of the order and of the draw.

    Raises:
        GraphDataError: If a number is out of range.
    """

    seeds_per_batch: int
    num_hops: int
    num_neighbors: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("seeds_per_batch", "num_hops", "num_neighbors"):
            if getattr(self, name) < 1:
                raise GraphDataError(f"{name} must be at least 1, got {getattr(self, name)}")


def sample_neighborhood(
    adjacency: Adjacency, seeds: Tensor, options: NeighborOptions, draw: torch.Generator
) -> Tensor:
    """Some nodes and, hop by hop, neighbours drawn at random of those that were drawn last.

    Source: Hamilton et al., "Inductive Representation Learning on Large Graphs", NeurIPS 2017.

    Args:
        adjacency: The whole graph.
        seeds: Where to start.
        options: How far, and how many.
        draw: Source of randomness.

    Shapes:
        seeds: ``(num_seeds,)`` -> ``(num_drawn,)``, ascending, the seeds among them.
    """
    known = torch.zeros(adjacency.num_nodes, dtype=torch.bool)
    known[seeds] = True
    frontier = seeds
    for _ in range(options.num_hops):
        entry, count = entries_of_rows(adjacency.rowptr, frontier)
        row = torch.arange(frontier.numel()).repeat_interleave(count)
        shuffled = (row + torch.rand(row.numel(), generator=draw, dtype=torch.float64)).argsort()
        rank = torch.arange(row.numel()) - (count.cumsum(0) - count)[row]
        drawn = adjacency.col[entry[shuffled[rank < options.num_neighbors]]]
        frontier = torch.unique(drawn[~known[drawn]])
        known[frontier] = True
    return known.nonzero().flatten()


class SeedSampler(EpochSampler):
    """Which training nodes make the batches of an epoch, for one of several processes.

    All are shuffled and dealt out: every process gets as many batches, and every training node
    is in exactly one batch of one process.

    Args:
        nodes: The training nodes.
        options: How many make a batch.
        rank: Number of this process.
        world_size: Number of processes.

    Raises:
        GraphDataError: If there are fewer training nodes than processes.
    """

    def __init__(
        self, nodes: Tensor, options: NeighborOptions, rank: int = 0, world_size: int = 1
    ) -> None:
        if nodes.numel() < world_size:
            raise GraphOptionError(
                f"each of the {world_size} devices needs a training node, got {nodes.numel()}"
            )
        super().__init__(rank, world_size)
        self._nodes = nodes
        self._options = options

    def generator(self, purpose: int) -> torch.Generator:
        """Randomness that depends on the seed, the epoch, and what it is for."""
        seed = (self._options.seed << 40) + (self._epoch << 16) + purpose
        return torch.Generator().manual_seed(seed)

    @property
    def draw(self) -> torch.Generator:
        """Randomness of this process for the neighbours of an epoch."""
        return self.generator(1 + self._rank)

    def __len__(self) -> int:
        fewest = self._nodes.numel() // self._world_size
        return -(-fewest // self._options.seeds_per_batch)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self._nodes.numel(), generator=self.generator(0))
        own = self._nodes[order[self._rank :: self._world_size]]
        return iter(own.tensor_split(len(self)))


class NeighborLoader:
    """Yield training nodes with nodes drawn around them, and all edges between these.

    A node keeps its degree in the whole graph, as in a batch of parts; neighbours that were not
    drawn count as 0. Only the nodes that the batch started from are trained on in it.

    Args:
        graph: The whole graph.
        options: How far and how many neighbours are drawn.
        sampler: Which training nodes make a batch.
    """

    def __init__(self, graph: GraphBatch, options: NeighborOptions, sampler: SeedSampler) -> None:
        self._graph = graph
        self._options = options
        self.sampler = sampler  # under this name Lightning finds it

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[GraphBatch]:
        draw = self.sampler.draw
        for seeds in self.sampler:
            nodes = sample_neighborhood(self._graph.adjacency, seeds, self._options, draw)
            yield dataclasses.replace(
                self._graph.subgraph(nodes), train_mask=torch.isin(nodes, seeds)
            )
