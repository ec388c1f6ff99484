"""Memory of large results: used again once nothing holds on to it, and never before."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from qgnn_lightning.kernels.cpu import _results
from qgnn_lightning.kernels.cpu._results import LARGE, empty_result, release_results

ROWS = LARGE // 4

pytestmark = pytest.mark.skipif(
    _results._HUGE_PAGES is None, reason="memory is used again on Linux only"
)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    gc.collect()
    release_results()
    yield
    release_results()


def test_memory_of_a_dropped_result_is_used_again() -> None:
    first = empty_result(ROWS, 1)
    address = first.data_ptr()
    del first
    assert empty_result(ROWS // 8, 8).data_ptr() == address


def test_memory_is_kept_while_a_view_of_it_lives() -> None:
    first = empty_result(ROWS, 2)
    first.fill_(7)
    view = first.t()[1, 100:]
    del first
    second = empty_result(ROWS, 2)
    second.fill_(1)
    assert view.unique().tolist() == [7]


def test_results_can_be_copied_and_changed() -> None:
    result = empty_result(3, ROWS).fill_(2)
    twin = copy.deepcopy(result)
    result.mul_(3)
    assert twin.sum() == 2 * 3 * ROWS
    assert result.is_contiguous()
    assert result.requires_grad_().sum() == 6 * 3 * ROWS


def test_dropped_results_are_kept_and_can_be_released() -> None:
    results = [empty_result(ROWS, n) for n in (1, 2, 3)]
    results.clear()
    assert release_results() == 4 * ROWS * (1 + 2 + 3)
    assert release_results() == 0


def test_beyond_a_limit_only_the_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_results, "KEPT", 4 * ROWS * 4)
    for n in (4, 1, 2):
        result = empty_result(ROWS, n)
        del result
    assert release_results() == 4 * ROWS * (1 + 2)
    result = empty_result(ROWS, 5)
    del result
    assert release_results() == 0


def test_the_smallest_memory_that_fits_is_used_again() -> None:
    results = [empty_result(ROWS, n) for n in (4, 3)]
    address = results[1].data_ptr()
    results.clear()
    assert empty_result(8 * ROWS, dtype=torch.uint8).data_ptr() == address


def test_much_larger_memory_is_not_taken_for_a_small_result() -> None:
    large = empty_result(ROWS, 3)
    address = large.data_ptr()
    del large
    assert empty_result(ROWS, 1).data_ptr() != address


def test_small_results_are_ordinary_tensors() -> None:
    small = empty_result(ROWS - 1, 1)
    del small
    assert release_results() == 0


def test_more_than_there_is() -> None:
    with pytest.raises(MemoryError, match="does not fit into memory"):
        empty_result(2**50)


def test_threads_do_not_share_memory() -> None:
    def run(number: int) -> bool:
        result = empty_result(ROWS, 1).fill_(number)
        return torch.equal(result, torch.full((ROWS, 1), float(number)))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(40)))
