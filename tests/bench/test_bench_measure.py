from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from bench_cases import benchmark, candidate, outcome, ticking_clock

from qgnn_lightning.bench import Protocol, measure, record, report, save_chart, select
from qgnn_lightning.bench import _measure as measure_module


def test_candidates_alternate_after_a_first_call():
    calls = []

    def make(name):
        return candidate(name, run=lambda: calls.append(name) or torch.zeros(1))

    outcomes = measure([make(name) for name in "abc"], None, Protocol(repeats=5))
    assert calls[:3] == ["a", "b", "c"]
    rounds = [calls[start : start + 3] for start in range(3, len(calls), 3)]
    assert len(rounds) == 5
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1
    assert all(len(one.timing.seconds) == 5 for one in outcomes)


def test_slow_candidates_are_called_less_often(monkeypatch):
    monkeypatch.setattr(measure_module.time, "perf_counter", ticking_clock(3.0))
    calls = Counter()
    slow = candidate("slow", run=lambda: calls.update(["slow"]) or torch.zeros(1))
    (found,) = measure([slow], None, Protocol(repeats=7))
    assert found.timing.seconds == (3.0,) * 3
    assert calls["slow"] == 4
    table = report(benchmark(found, outcome("fast", "fp32", [0.1] * 7)))
    assert "runs: fewer where one call takes more than 2 s" in table


def test_parts_are_timed_as_well():
    whole = candidate("whole", parts={"half": lambda: torch.zeros(1)})
    (found,) = measure([whole], None, Protocol(repeats=2))
    assert len(found.parts["half"].seconds) == 2


def test_median_and_spread():
    timing = outcome("a", "fp32", [0.4, 0.1, 0.2]).timing
    assert (timing.fastest, timing.median, timing.slowest) == (0.1, 0.2, 0.4)


def test_deviations_are_those_of_the_definition():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    packed = candidate(
        "int2",
        "packed",
        lambda: torch.tensor([3.0, 4.5]),
        twin=lambda: torch.tensor([3.0, 4.25]),
    )
    (found,) = measure([packed], exact, Protocol(1))
    assert found.first.max_deviation == 0.5
    assert found.first.relative_error == 0.1
    assert found.first.deviation_from_fake == 0.25
    assert benchmark(found).unequal == [found]
    assert "bit for bit: 0 of 1 (max deviation 0.25)" in report(benchmark(found))


def test_nothing_is_compared_for_a_control():
    control = candidate("part", "control", lambda: torch.zeros(7))
    (found,) = measure([control], torch.zeros(2), Protocol(1))
    assert found.first.max_deviation is None


def test_ratios_are_those_to_the_fastest_float32_path():
    found = benchmark(
        outcome("pyg", "fp32", [4.0, 5.0, 9.0]),
        outcome("bag", "fp32", [1.0, 2.0, 3.0]),
        outcome("control", "control", [0.1, 0.1, 0.1]),
        outcome("fake", "fake", [0.2]),
        outcome("int2", "packed", [0.25, 0.5, 0.5]),
    )
    assert found.fastest_float32.candidate.name == "bag"
    ratios = [found.ratio(one) for one in found.outcomes]
    assert ratios == [2 / 5, 1.0, None, 10.0, 4.0]
    table = report(found).splitlines()
    assert [line.split()[4] for line in table[4:9]] == ["0.40x", "1.00x", "-", "10.00x", "4.00x"]
    assert any("speed relative to bag, the fastest FP32 here" in line for line in table)


def test_without_a_float32_path_there_is_no_ratio():
    found = benchmark(outcome("int2", "packed", [1.0]))
    assert found.fastest_float32 is None
    assert found.ratio(found.outcomes[0]) is None
    assert record(found, "")["fastest_float32"] is None
    assert "vs fp32: " not in report(found)


def test_the_record_is_plain_and_complete(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "123")
    found = benchmark(
        outcome("bag", "fp32", [0.1, 0.3, 0.2], max_deviation=1e-7, relative_error=1e-8),
        outcome("int2", "packed", [0.1], deviation_from_fake=0.0, extra_peak_bytes=5),
    )
    stored = json.loads(json.dumps(record(found, "qgnn bench propagate")))
    assert stored["command"] == "qgnn bench propagate"
    assert stored["graph"] == {"num_nodes": 10, "num_nonzeros": 40}
    assert stored["packed_equals_fake"] is True
    assert {"commit", "versions", "hardware", "threads", "kernels"} <= set(stored["environment"])
    assert stored["environment"]["allocator"]["MALLOC_TRIM_THRESHOLD_"] == "123"
    bag, int2 = stored["candidates"]
    assert bag["seconds"] == {"median": 0.2, "min": 0.1, "max": 0.3, "runs": [0.1, 0.3, 0.2]}
    assert (bag["ratio"], bag["max_deviation"], bag["relative_error"]) == (1.0, 1e-7, 1e-8)
    assert (int2["ratio"], int2["deviation_from_fake"], int2["extra_peak_bytes"]) == (2.0, 0.0, 5)


def test_the_table_is_aligned_and_fits_100_columns():
    slow = outcome("fake-int8-delta", "fake", [12.3456, 99.999], max_deviation=1.2e-10)
    quick = outcome("int2-direct", "packed", [1e-5], extra_peak_bytes=2 * 10**9)
    text = report(benchmark(outcome("fp32-bag", "fp32", [0.5]), slow, quick))
    assert max(map(len, text.splitlines())) <= 100
    table = text.split("\n\n")[1].splitlines()
    assert len({len(line) for line in table}) == 1


def test_names_are_selected_by_pattern_in_their_own_order():
    names = ["fp32-csr", "fp32-bag", "int2-direct"]
    assert select(names, None) == names
    assert select(names, ["int2-direct", "fp32-*"]) == names
    with pytest.raises(ValueError, match="did you mean fp32-bag"):
        select(names, ["fp32-bga"])


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_chart_is_a_file_of_its_kind(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"chart{suffix}"
    found = benchmark(
        outcome("bag", "fp32", [0.1, 0.2]),
        outcome("sum", "control", [0.1]),
        outcome("int2", "packed", [0.05]),
    )
    save_chart(found, path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in content


def test_a_protocol_has_at_least_one_run():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        Protocol(repeats=0)
