"""Random graphs for the tests, with their dense adjacency worked out entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from qgnn_lightning.data import GraphBatch
from qgnn_lightning.graph import Adjacency

seeds = st.integers(0, 2**31)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normally distributed numbers, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@dataclass(frozen=True)
class RandomGraph:
    """A list of edges, perhaps with duplicates and self-loops."""

    edges: tuple[tuple[int, int], ...]
    num_nodes: int
    weights: tuple[float, ...] | None = None

    @property
    def edge_index(self) -> Tensor:
        return torch.tensor(self.edges, dtype=torch.long).reshape(-1, 2).t()

    @property
    def edge_weight(self) -> Tensor | None:
        return None if self.weights is None else torch.tensor(self.weights, dtype=torch.float64)

    def adjacency(self, dtype: torch.dtype = torch.float64) -> Adjacency:
        return Adjacency.from_edge_index(
            self.edge_index, self.num_nodes, self.edge_weight, dtype=dtype
        )

    def dense(self) -> Tensor:
        """A' = A + I, one entry at a time: row is the target, column the source."""
        matrix = torch.zeros(self.num_nodes, self.num_nodes, dtype=torch.float64)
        for number, (source, target) in enumerate(self.edges):
            if source == target:
                continue
            if self.weights is None:
                matrix[target, source] = 1
            else:
                matrix[target, source] += self.weights[number]
        return matrix + torch.eye(self.num_nodes, dtype=torch.float64)

    def normalized(self) -> Tensor:
        """D^-1/2 A' D^-1/2."""
        matrix = self.dense()
        scale = matrix.sum(1) ** -0.5
        return scale[:, None] * matrix * scale

    def laplacian(self) -> Tensor:
        """I - D^-1/2 A' D^-1/2."""
        return torch.eye(self.num_nodes, dtype=torch.float64) - self.normalized()


@st.composite
def graphs(
    draw: st.DrawFn, max_nodes: int = 7, weighted: bool = False, directed: bool = False
) -> RandomGraph:
    """Graphs with isolated nodes, duplicates and self-loops among their edges."""
    num_nodes = draw(st.integers(1, max_nodes))
    node = st.integers(0, num_nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=3 * num_nodes))
    # Eighths, so that sums of the weights of duplicates are exact in any order.
    eighth = st.integers(1, 24).map(lambda n: n / 8)
    weights = [draw(eighth) for _ in edges] if weighted else None
    if not directed:
        edges = edges + [(target, source) for source, target in edges]
        weights = None if weights is None else weights + weights
    return RandomGraph(tuple(edges), num_nodes, None if weights is None else tuple(weights))


def ring_with_chords(num_nodes: int, seed: int = 0) -> RandomGraph:
    """An undirected, connected graph of uneven degrees."""
    draw = torch.Generator().manual_seed(seed)
    chords = torch.randint(0, num_nodes, (2 * num_nodes, 2), generator=draw)
    chords[:, 0] = chords[:, 0] // 2  # the first half of the nodes has more neighbours
    edges = [(i, (i + 1) % num_nodes) for i in range(num_nodes)]
    edges += [(int(i), int(j)) for i, j in chords]
    return RandomGraph(tuple(edges + [(j, i) for i, j in edges]), num_nodes)


def labelled_ring() -> GraphBatch:
    """60 nodes of 5 classes, a third of them in each part of the split."""
    nodes = torch.arange(60)
    x = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
    masks = (nodes % 3 == part for part in range(3))
    return GraphBatch.from_tensors(x, ring_with_chords(60).edge_index, nodes % 5, *masks)
