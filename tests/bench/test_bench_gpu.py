"""The benchmark for GPUs: refused without one, and its parts on the CPU."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from qgnn_lightning.bench import random_graph

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_refused_in_one_line():
    run = subprocess.run([sys.executable, _SCRIPT], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "benchmarks/gpu.py needs a CUDA GPU, and torch finds none here\n"


def test_what_it_measures_runs_and_agrees_on_the_cpu():
    script = runpy.run_path(str(_SCRIPT))
    adjacency, device = random_graph("power_law", 200, 800), torch.device("cpu")
    paths = {one.name: one.run() for one in script["inference"](adjacency, device)}
    assert list(paths) == list(script["INFERENCE"])
    exact = paths["fp32-csr"]
    torch.testing.assert_close(paths["fp32-pyg"], exact, rtol=1e-4, atol=1e-5)
    error = {name: float((found - exact).norm() / exact.norm()) for name, found in paths.items()}
    assert error["int8-direct"] < 0.02 < error["int2-delta"] < error["int2-direct"] < 0.7
    waited = []
    outcomes = script["timed"](script["training"](adjacency, device), 2, lambda: waited.append(1))
    found = script["plain"](outcomes)
    assert list(found) == ["pyg-appnp", "float32", "float32-bf16", "int2", "int2-bf16"]
    assert all(len(one["seconds"]) == 2 and one["median_seconds"] > 0 for one in found.values())
    assert len(waited) == 3 * len(found)


def test_every_network_learns():
    script = runpy.run_path(str(_SCRIPT))
    torch.manual_seed(0)
    adjacency = random_graph("power_law", 100, 300)
    for candidate in script["training"](adjacency, torch.device("cpu")):
        losses = [float(candidate.run()) for _ in range(30)]
        assert losses[-1] < losses[0] - 0.3, candidate.name
