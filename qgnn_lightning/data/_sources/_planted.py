"""Random graphs whose labels are planted in the edges and in the features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

_MAX_ROUNDS = 100
_CHUNK = 1 << 24


@dataclass(frozen=True)
class PlantedOptions:
    """Size and difficulty of a random graph.

    Args:
        num_nodes: Number of nodes, at least twice the number of classes.
        num_edges: Number of undirected edges, all of them distinct, without self-loops.
        num_features: Number of features per node.
        num_classes: Number of classes, at least 2; their sizes differ by at most one node.
        homophily: Share of the edges within a class, in [0, 1].
        noise: Standard deviation of each feature around its class mean, which has length 1.
        seed: Seed of the graph.

    Raises:
        GraphDataError: If a value is outside its range.
    """

    num_nodes: int
    num_edges: int
    num_features: int
    num_classes: int
    homophily: float
    noise: float
    seed: int

    def __post_init__(self) -> None:
        pairs = self.num_nodes * (self.num_nodes - 1) // 2
        rules = (
            ("num_classes", self.num_classes >= 2, "at least 2"),
            ("num_nodes", self.num_nodes >= 2 * self.num_classes, "at least 2 * num_classes"),
            ("num_edges", 1 <= self.num_edges <= pairs, f"in [1, {pairs}], the number of pairs"),
            ("num_features", self.num_features >= 1, "at least 1"),
            ("homophily", 0 <= self.homophily <= 1, "in [0, 1]"),
            ("noise", 0 <= self.noise < float("inf"), "finite and not negative"),
        )
        for name, holds, rule in rules:
            if not holds:
                raise GraphDataError(f"{name} must be {rule}, got {getattr(self, name)}")


class PlantedSource(Source):
    """A random graph with communities in the edges and in the features, of any size.

    Without skew a contextual stochastic block model (Deshpande et al., "Contextual Stochastic
    Block Models", NeurIPS 2018), here with several classes and the number of edges fixed instead
    of drawn; their signal strength mu grows as ``1 / noise ** 2``. With a skew the expected
    degrees follow a power law of exponent ``1 + 1 / skew`` (Chung and Lu, "The average distances
    in random graphs with given expected degrees", PNAS 2002): few hubs, many nodes of low degree.

    Args:
        options: Size and difficulty.
        skew: Inequality of the nodes' weights in [0, 1); 0 makes all nodes alike.
    """

    def __init__(self, options: PlantedOptions, skew: float) -> None:
        self._options = options
        self._skew = skew

    def load(self) -> RawGraph:
        """Draw the graph.

        Raises:
            GraphDataError: If there are too few pairs of nodes for the number of edges.
        """
        return planted_graph(self._options, self._skew)


def planted_graph(options: PlantedOptions, skew: float) -> RawGraph:
    r"""Draw edges by weight and class, and features around the class means.

    Node :math:`i` has the weight :math:`(i+1)^{-s}` with the skew :math:`s`. The share
    ``homophily`` of the edges joins nodes of one class, the others nodes of two. The features
    are :math:`x_i = m_{y_i} + \text{noise} \cdot g_i`, :math:`|m_c| = 1`, :math:`g_i \sim N(0, I)`.
    Time and memory grow with the number of edges; nothing of size N x N is made.

    Args:
        options: Size and difficulty.
        skew: Inequality of the weights in [0, 1); 0 makes all nodes alike.

    Raises:
        GraphDataError: If there are too few pairs of nodes to draw distinct edges from.
    """
    generator = torch.Generator().manual_seed(options.seed)
    source, target = _edges(options, skew, generator)
    # Nodes are drawn in the order of their weight and class: give them random numbers.
    number = torch.randperm(options.num_nodes, generator=generator)
    source, target = number[source], number[target]
    y = torch.empty_like(number)
    y[number] = torch.arange(options.num_nodes) % options.num_classes
    edge_index = torch.stack([torch.cat([source, target]), torch.cat([target, source])])
    return RawGraph(_features(options, y, generator), edge_index, y)


def _features(options: PlantedOptions, y: Tensor, generator: torch.Generator) -> Tensor:
    means = torch.randn(options.num_classes, options.num_features, generator=generator)
    means = torch.nn.functional.normalize(means, dim=1)
    x = torch.randn(options.num_nodes, options.num_features, generator=generator)
    return x.mul_(options.noise).add_(means[y])


def _edges(
    options: PlantedOptions, skew: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    within = round(options.homophily * options.num_edges)
    keys = [
        _distinct(count, partial(_pairs, options, skew, generator, same=same))
        for count, same in ((within, True), (options.num_edges - within, False))
    ]
    if sum(map(len, keys)) < options.num_edges:
        raise GraphOptionError(
            f"num_edges={options.num_edges} is too many for num_nodes={options.num_nodes}, "
            f"num_classes={options.num_classes} and homophily={options.homophily}: there are "
            "too few distinct pairs of nodes"
        )
    key = torch.cat(keys)
    return key // options.num_nodes, key % options.num_nodes


def _distinct(count: int, draw: Callable[[int], Tensor]) -> Tensor:
    """Draw until there are ``count`` distinct keys; fewer where they cannot be found."""
    keys: Tensor = torch.unique(draw(count))
    for _ in range(_MAX_ROUNDS):
        missing = count - keys.numel()
        if not missing:
            break
        fresh = draw(2 * missing + 64)
        fresh = _without_repeats(fresh[~_contains(keys, fresh)])[:missing]
        keys = torch.cat([keys, fresh]).sort().values
    return keys


def _contains(keys: Tensor, wanted: Tensor) -> Tensor:
    if not keys.numel():
        return torch.zeros_like(wanted, dtype=torch.bool)
    position = torch.searchsorted(keys, wanted).clamp_(max=keys.numel() - 1)
    return keys[position] == wanted


def _without_repeats(keys: Tensor) -> Tensor:
    """The first of each key, in the order in which they were drawn."""
    ordered, position = keys.sort(stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return keys[position[first].sort().values]


def _pairs(
    options: PlantedOptions, skew: float, generator: torch.Generator, size: int, *, same: bool
) -> Tensor:
    """About ``size`` pairs of nodes as keys ``smaller * num_nodes + larger``."""
    sizes = [min(_CHUNK, size - start) for start in range(0, size, _CHUNK)]
    chunks = [_pair_chunk(options, skew, generator, chunk, same=same) for chunk in sizes]
    return torch.cat([torch.empty(0, dtype=torch.int64), *chunks])


def _pair_chunk(
    options: PlantedOptions, skew: float, generator: torch.Generator, size: int, *, same: bool
) -> Tensor:
    num_nodes, num_classes = options.num_nodes, options.num_classes
    first = _nodes(num_nodes, skew, size, generator)
    other = _nodes(num_nodes, skew, size, generator)
    wanted = first
    if not same:
        wanted = first + torch.randint(1, num_classes, (size,), generator=generator)
    # Classes alternate along the weights, so the neighbour of the wanted class weighs the same.
    second = other - other % num_classes + wanted % num_classes
    keep = (second < num_nodes) & (second != first)
    low, high = torch.minimum(first, second)[keep], torch.maximum(first, second)[keep]
    return low * num_nodes + high


def _nodes(num_nodes: int, skew: float, size: int, generator: torch.Generator) -> Tensor:
    """Draw nodes with probability proportional to ``(i + 1) ** -skew``, by inversion."""
    uniform = torch.rand(size, dtype=torch.float64, generator=generator)
    return (num_nodes * uniform ** (1 / (1 - skew))).long().clamp_(max=num_nodes - 1)
