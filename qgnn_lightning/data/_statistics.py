"""What a graph looks like, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._column_sizes import ColumnSizes, column_sizes
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._splits import class_sizes
from qgnn_lightning.graph import Adjacency


@dataclass(frozen=True)
class DegreeBin:
    """Nodes with similar numbers of neighbours.

    Args:
        least: Smallest degree.
        most: Largest degree.
        nodes: Number of nodes.
    """

    least: int
    most: int
    nodes: int

    @property
    def name(self) -> str:
        """The range in words."""
        return str(self.least) if self.least == self.most else f"{self.least}-{self.most}"


@dataclass(frozen=True)
class GraphStatistics:
    """Numbers that describe a graph; links from a node to itself do not count.

    Args:
        num_nodes: Number of nodes.
        num_edges: Number of edges; of a directed graph, each direction counts.
        directed: Whether an edge lacks its other direction.
        weighted: Whether edges have weights.
        num_features: Features per node.
        feature_density: Share of the features that are not 0.
        column_sizes: How large the columns of the features are; ``None`` for bags of words, in
            which a row is the unit.
        num_components: Parts that no edge links.
        largest_component: Nodes in the largest of them.
        num_isolated: Nodes without an edge.
        least_degree: Fewest neighbours of a node.
        median_degree: Half of the nodes have at most as many neighbours.
        mean_degree: Neighbours of a node on average.
        most_degree: Most neighbours of a node.
        degrees: Histogram of the degrees.
        class_sizes: Nodes of each class.
        num_unlabelled: Nodes of unknown class.
        homophily: Share of the edges within a class, of those between nodes of known class;
            ``None`` without such edges.
        homophily_by_chance: The same share, expected if edges were drawn again with these degrees.
    """

    num_nodes: int
    num_edges: int
    directed: bool
    weighted: bool
    num_features: int
    feature_density: float
    column_sizes: ColumnSizes | None
    num_components: int
    largest_component: int
    num_isolated: int
    least_degree: int
    median_degree: float
    mean_degree: float
    most_degree: int
    degrees: tuple[DegreeBin, ...]
    class_sizes: tuple[int, ...]
    num_unlabelled: int
    homophily: float | None
    homophily_by_chance: float | None


def graph_statistics(graph: RawGraph) -> GraphStatistics:
    r"""Describe a graph.

    The homophily is the edge homophily of Zhu et al. 2020; by chance it would be
    :math:`\sum_c (D_c / D)^2`, :math:`D_c` being the sum of the degrees in class :math:`c`
    (Platonov et al. 2023).

    Args:
        graph: A graph that was checked.
    """
    num_nodes = graph.x.shape[0]
    adjacency = Adjacency.from_edge_index(graph.edge_index, num_nodes, graph.edge_weight)
    other = adjacency.row != adjacency.col
    row, col = adjacency.row[other], adjacency.col[other]
    degree = torch.bincount(row, minlength=num_nodes)
    if not adjacency.symmetric:
        degree = _neighbours(row, col, num_nodes)
    labels = graph.y.long()
    components = _component_sizes(row, col, num_nodes)
    x = graph.x.values() if graph.x.layout == torch.sparse_csr else graph.x
    homophily, by_chance = _homophily(row, col, labels)
    return GraphStatistics(
        num_nodes=num_nodes,
        num_edges=row.numel() // 2 if adjacency.symmetric else row.numel(),
        directed=not adjacency.symmetric,
        weighted=graph.edge_weight is not None,
        num_features=graph.x.shape[1],
        feature_density=int(x.count_nonzero()) / graph.x.numel(),
        column_sizes=None if graph.bag_of_words else column_sizes(graph.x),
        num_components=len(components),
        largest_component=int(components.max()),
        num_isolated=int((degree == 0).sum()),
        least_degree=int(degree.min()),
        median_degree=float(np.median(degree.numpy())),
        mean_degree=float(degree.double().mean()),
        most_degree=int(degree.max()),
        degrees=degree_histogram(degree),
        class_sizes=tuple(class_sizes(labels).tolist()),
        num_unlabelled=int((labels < 0).sum()),
        homophily=homophily,
        homophily_by_chance=by_chance,
    )


def degree_bin_edges(most: int) -> list[tuple[int, int]]:
    """Bins of degrees that double in width: 0, 1, 2, 3-4, 5-8, 9-16 and so on.

    Args:
        most: The largest degree.
    """
    bins, top = [(0, 0)], 1
    while bins[-1][1] < most:
        bins.append((bins[-1][1] + 1, top))
        top *= 2
    return bins


def degree_histogram(degree: Tensor) -> tuple[DegreeBin, ...]:
    """Number of nodes by degree.

    Shapes:
        degree: ``(num_nodes,)``.
    """
    count = torch.bincount(degree).cumsum(0)
    last = len(count) - 1
    upto = [int(count[min(most, last)]) for _, most in degree_bin_edges(last)]
    return tuple(
        DegreeBin(least, most, total - before)
        for (least, most), total, before in zip(
            degree_bin_edges(last), upto, [0, *upto[:-1]], strict=True
        )
    )


def _neighbours(row: Tensor, col: Tensor, num_nodes: int) -> Tensor:
    """Distinct neighbours of each node, in either direction."""
    keys = torch.unique(torch.cat([row * num_nodes + col, col * num_nodes + row]))
    return torch.bincount(keys // num_nodes, minlength=num_nodes)


def _component_sizes(row: Tensor, col: Tensor, num_nodes: int) -> np.ndarray[Any, Any]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(row.numel(), dtype=np.int8)
    matrix = coo_array((ones, (row.numpy(), col.numpy())), shape=(num_nodes, num_nodes))
    _, part = connected_components(matrix.tocsr(), directed=False)
    sizes: np.ndarray[Any, Any] = np.bincount(part)
    return sizes


def _homophily(row: Tensor, col: Tensor, labels: Tensor) -> tuple[float, float] | tuple[None, None]:
    known = (labels[row] >= 0) & (labels[col] >= 0)
    row, col = row[known], col[known]
    if not row.numel():
        return None, None
    ends = torch.bincount(torch.cat([labels[row], labels[col]])).double()
    by_chance = float(((ends / ends.sum()) ** 2).sum())
    return float((labels[row] == labels[col]).double().mean()), by_chance
