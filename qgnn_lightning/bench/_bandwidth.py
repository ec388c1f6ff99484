"""How fast this machine reads and writes memory: the limit of every propagation."""

from __future__ import annotations

import time

import torch

_FLOAT_BYTES = 4


def memory_bandwidth(num_floats: int = 1 << 26, repeats: int = 7) -> float:
    r"""Bytes per second of the triad :math:`a = b + s c`, the best of several runs.

    Counted as 3 arrays, two read and one written, as the STREAM benchmark does; the threads are
    torch's.

    Source: McCalpin, "Memory bandwidth and machine balance in current high performance
    computers", 1995.

    Args:
        num_floats: Length of each array; should be far larger than the caches.
        repeats: Number of runs.
    """
    b, c = torch.ones(num_floats), torch.ones(num_floats)
    a = torch.empty(num_floats)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        torch.add(b, c, alpha=2.0, out=a)
        times.append(time.perf_counter() - start)
    return 3 * _FLOAT_BYTES * num_floats / min(times[1:])
