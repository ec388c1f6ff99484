"""Two processes hold the same network, share the training nodes, and evaluate once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from two_processes import environment

_SCRIPT = Path(__file__).with_name("rank_states.py")


def _train(folder: Path, quantizer: str, devices: int = 2) -> list[dict]:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(_SCRIPT), str(folder), quantizer, str(devices)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return [torch.load(folder / f"rank_{rank}.pt") for rank in range(devices)]


@pytest.fixture(scope="module", params=["least_squares", "skewness_truncation"])
def ranks(request, tmp_path_factory) -> list[dict]:
    return _train(tmp_path_factory.mktemp(request.param), request.param)


def test_weights_ranges_and_multipliers_are_equal_bit_for_bit(ranks):
    first, second = (rank["state"] for rank in ranks)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert float(first["network.propagation.multipliers.value"].max()) > 0
    assert any(name.endswith("range.maximum") and bool(first[name].any()) for name in first)


def test_training_nodes_are_disjoint_and_complete_in_every_epoch(ranks):
    assert len(ranks[0]["epochs"]) == 5
    for first, second in zip(ranks[0]["epochs"], ranks[1]["epochs"], strict=True):
        assert not set(first) & set(second)
        assert sorted(first + second) == ranks[0]["train_nodes"]


def test_the_accuracy_is_that_of_one_process_with_the_same_weights(ranks):
    for rank in ranks:
        assert rank["test"] == ranks[0]["test"]
        assert rank["test"]["test/accuracy"] == pytest.approx(rank["alone"], abs=1e-7)  # float32
