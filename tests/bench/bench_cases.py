"""What the tests of the benchmarks share."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from qgnn_lightning.bench import Benchmark, Candidate, Outcome
from qgnn_lightning.bench._measure import FirstCall, Timing
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import Recurrence


def dense_normalized(adjacency: Adjacency) -> Tensor:
    """The normalised adjacency as a dense matrix, from its definition."""
    matrix = adjacency.matrix(torch.float32).to_dense().double()
    scale = matrix.sum(1).rsqrt()
    return scale[:, None] * matrix * scale


def dense_propagation(
    adjacency: Adjacency, x: Tensor, recurrence: Recurrence, strengths: list[float]
) -> Tensor:
    """The recurrence, from its definition."""
    smooth = dense_normalized(adjacency)
    laplacian = torch.eye(adjacency.num_nodes, dtype=torch.float64) - smooth
    h = x = x.double()
    for strength in strengths:
        descended = recurrence.keep * h + recurrence.neighbours * (smooth @ h)
        descended = descended + recurrence.restart * x
        h = descended - strength * (laplacian @ (descended - h))
    return h


def candidate(
    name: str,
    family: str = "fp32",
    run: Callable[[], Tensor] = lambda: torch.zeros(2),
    **kwargs: object,
) -> Candidate:
    return Candidate(name, family, f"computes {name}", run, 1_000_000, **kwargs)


def outcome(name: str, family: str, seconds: list[float], **first: float) -> Outcome:
    return Outcome(candidate(name, family), FirstCall(**first), Timing(tuple(seconds)), {})


def benchmark(*outcomes: Outcome, **settings: object) -> Benchmark:
    defaults = {"graph": "uniform", "num_features": 8, "num_steps": 3}
    return Benchmark("propagate", {**defaults, **settings}, 10, 40, outcomes)


def ticking_clock(step: float) -> Callable[[], float]:
    """A clock that goes on by a step with every look at it."""
    counter = itertools.count()
    return lambda: step * next(counter)
