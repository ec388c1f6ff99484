"""Importing loads nothing that is not needed and changes nothing; in a fresh process each."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PARTS = ["quantization", "graph", "constraints", "kernels", "nn", "baselines", "deploy"]
_HEAVY = [
    "lightning",
    "torch_geometric",
    "torchmetrics",
    "triton",
    "matplotlib",
    "ogb",
    "sklearn",
    "scipy",
    "pandas",
    "pymetis",
    "tensorboard",
    "jsonargparse",
]


def run(code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def test_the_package_itself_does_not_even_load_torch():
    run(
        "import sys, qgnn_lightning\n"
        "assert qgnn_lightning.__version__\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )


def existing_parts() -> list[str]:
    found = [importlib.util.find_spec(f"qgnn_lightning.{part}") for part in _PARTS]
    return [spec.name for spec in found if spec is not None]


def test_parts_load_nothing_heavy_and_leave_torch_and_the_process_as_they_are():
    run(
        f"""
import os, random, signal, sys, threading, warnings
import torch
before = set(sys.modules)

def state():
    return (
        torch.random.get_rng_state().tolist(), random.getstate(), torch.get_default_dtype(),
        torch.get_num_threads(), torch.is_grad_enabled(), dict(os.environ), list(warnings.filters),
        threading.active_count(), signal.getsignal(signal.SIGTERM), sys.path[:],
        torch.are_deterministic_algorithms_enabled(), torch.cuda.is_initialized(),
    )

old = state()
for name in {existing_parts()!r}:
    __import__(name)
assert state() == old
loaded = {{name.split('.')[0] for name in set(sys.modules) - before}}
assert not loaded & set({_HEAVY!r}), loaded & set({_HEAVY!r})
"""
    )


@pytest.mark.parametrize("part", ["quantization", "graph", "constraints", "nn"])
def test_everything_that_is_listed_exists(part):
    module = importlib.import_module(f"qgnn_lightning.{part}")
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert module.__doc__
