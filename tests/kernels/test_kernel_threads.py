"""Threads of the C++ backend: any number, several callers, forked processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from kernel_cases import random_features, random_graph
from torch import Tensor

from qgnn_lightning.kernels import Grid, StepCoefficients, propagate, why_unavailable

pytestmark = pytest.mark.skipif(
    why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu"))
)

GRAPH = random_graph(3000, 20000, seed=0, hub=True)


def propagated(seed: int, num_threads: int | None = 3) -> Tensor:
    return propagate(
        random_features(3000, 9, seed),
        GRAPH,
        [Grid(2, 0.7, 1)] * 6,
        StepCoefficients(0.0, 0.9, 0.1),
        form="delta_sigma",
        backend="cpu",
        num_threads=num_threads,
    ).features


@pytest.mark.parametrize("num_threads", [None, 2, 3, 17])
def test_the_number_of_threads_changes_nothing(num_threads: int | None) -> None:
    expected = propagated(0, 1)
    for _ in range(20):
        assert torch.equal(propagated(0, num_threads), expected)


def test_tiny_floats_count_as_zero_in_all_threads_or_none() -> None:
    x0, weights = torch.full((GRAPH.num_nodes, 300), 1e-38), StepCoefficients(0.0, 0.9, 0.1)

    def tiny(threads: int) -> Tensor:
        steps = [Grid(2, 1.0, 1)] * 3
        return propagate(x0, GRAPH, steps, weights, backend="cpu", num_threads=threads).features

    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    try:
        flushed = [tiny(threads) for threads in (1, 2, 2, 2)]
    finally:
        torch.set_flush_denormal(False)
    kept = [tiny(threads) for threads in (1, 2, 2, 2)]
    assert not any(one.any() for one in flushed)
    assert all(one.all() for one in kept)


def test_callers_at_the_same_time() -> None:
    expected = [propagated(seed, 1) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(propagated, list(range(4)) * 10))
    for number, result in enumerate(results):
        assert torch.equal(result, expected[number % 4])


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs processes that fork"
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    expected = propagated(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        sums = pool.map_async(_checksum, [0, 0, 0]).get(timeout=60)
        pool.close()  # to terminate them takes SIGTERM, which may be ignored here
        pool.join()
    assert sums == [expected.double().sum().item()] * 3


def _checksum(seed: int) -> float:
    torch.set_num_threads(1)  # torch's own threads do not live on either
    return propagated(seed).double().sum().item()
