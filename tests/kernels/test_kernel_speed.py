"""A smoke test: the packed sum has not become twice as slow as it was against full precision."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from kernel_cases import random_codes, random_graph

from qgnn_lightning.kernels import backends, neighbour_sum, pack

#: So few nodes that the time is not that of fresh memory for the result.
_NODES, _ENTRIES, _FEATURES = 4_000, 400_000, 128
#: With two bits, against 32-bit sums by the same kernel; 12 to 17 was measured, busy or not.
_LEAST_RATIO = 6.0


def _seconds(call: Callable[[], object]) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before


@pytest.mark.skipif(
    backends.why_unavailable("cpu") is not None, reason="the kernels are not compiled"
)
def test_two_bits_are_faster_than_four_bytes():
    """The control has every number in four planes of 8 bits: 32 bits, through the same code."""
    graph = random_graph(_NODES, _ENTRIES, seed=0)
    packed = pack(random_codes(_NODES, _FEATURES, 2, seed=1), 2)
    planes = pack(random_codes(_NODES, 4 * _FEATURES, 8, seed=2), 8)
    common = {"num_threads": 1, "backend": "cpu"}

    def two_bits() -> torch.Tensor:
        return neighbour_sum(
            packed, graph.rowptr, graph.col, num_bits=2, num_features=_FEATURES, **common
        )

    def control() -> torch.Tensor:
        return neighbour_sum(
            planes, graph.rowptr, graph.col, num_bits=8, num_features=4 * _FEATURES, **common
        )

    two_bits(), control()
    rounds = [(_seconds(control), _seconds(two_bits)) for _ in range(25)]
    slow, fast = (min(times) for times in zip(*rounds, strict=True))  # other work only adds
    assert slow / fast > _LEAST_RATIO, rounds
