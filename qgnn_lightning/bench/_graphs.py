"""Random graphs to measure on."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from qgnn_lightning.graph import Adjacency

GraphName = Literal["uniform", "power_law"]
GRAPHS: tuple[str, ...] = get_args(GraphName)

# Weights of i ** -1/2 give degrees with the exponent 1 + 1 / skew = 3.
_SKEW = {"uniform": 0.0, "power_law": 0.5}
_MAX_ROUNDS = 100


def random_graph(kind: GraphName, num_nodes: int, num_edges: int, seed: int = 0) -> Adjacency:
    """Draw a graph with a given number of distinct undirected edges, without self-loops.

    Args:
        kind: ``uniform``: all pairs of nodes alike; ``power_law``: expected degrees that follow
            a power law of exponent 3 (Chung and Lu, PNAS 2002).
        num_nodes: Number of nodes, at least 2.
        num_edges: Number of undirected edges, at most half of the pairs of nodes.
        seed: Seed of the graph.

    Raises:
        ValueError: If an argument is out of range, or so many edges are not found.
    """
    if kind not in GRAPHS:
        raise ValueError(f"graph must be one of {GRAPHS}, got {kind!r}")
    if num_nodes < 2:
        raise ValueError(f"num_nodes must be at least 2, got {num_nodes}")
    most = num_nodes * (num_nodes - 1) // 4
    if not 1 <= num_edges <= max(most, 1):
        raise ValueError(
            f"num_edges must be in 1..{max(most, 1)}, half of the pairs of {num_nodes} nodes, "
            f"got {num_edges}"
        )
    generator = torch.Generator().manual_seed(seed)
    key = _distinct_pairs(num_nodes, num_edges, _SKEW[kind], generator)
    number = torch.randperm(num_nodes, generator=generator)
    source, target = number[key // num_nodes], number[key % num_nodes]
    edges = torch.stack([torch.cat([source, target]), torch.cat([target, source])])
    return Adjacency.from_edge_index(edges, num_nodes)


def _distinct_pairs(
    num_nodes: int, num_edges: int, skew: float, generator: torch.Generator
) -> Tensor:
    """Keys ``smaller * num_nodes + larger`` of distinct pairs of nodes."""
    key = torch.empty(0, dtype=torch.int64)
    for _ in range(_MAX_ROUNDS):
        missing = num_edges - key.numel()
        if missing <= 0:
            return key[torch.randperm(key.numel(), generator=generator)[:num_edges]]
        fresh = _pairs(num_nodes, missing + missing // 8 + 64, skew, generator)
        key = torch.unique(torch.cat([key, fresh]))
    raise ValueError(
        f"num_edges={num_edges} is too many for a graph of {num_nodes} nodes with these degrees"
    )


def _pairs(num_nodes: int, count: int, skew: float, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(2, count, dtype=torch.float64, generator=generator)
    ends = (num_nodes * uniform ** (1 / (1 - skew))).long().clamp_(max=num_nodes - 1)
    low, high = ends.amin(0), ends.amax(0)
    key = low * num_nodes + high
    return key[low != high]
