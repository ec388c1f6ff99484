"""State and result in mapped files change nothing in what is computed."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import grids, random_features, random_graph

from qgnn_lightning.kernels import (
    BackendUnavailableError,
    Grid,
    StepCoefficients,
    propagate,
    propagate_mapped,
    why_unavailable,
)

GRIDS = [Grid(2, 0.5, 1)] * 3
WEIGHTS = StepCoefficients(0.0, 0.9, 0.1)

needs_cpu = pytest.mark.skipif(
    why_unavailable("cpu") is not None, reason=str(why_unavailable("cpu"))
)


@needs_cpu
@given(
    nodes=st.sampled_from((1, 17, 120)),
    entries=st.sampled_from((0, 60, 1500)),
    width=st.sampled_from((1, 32, 40, 65, 300)),
    step_grids=grids(),
    own=st.sampled_from((0.0, 0.3)),
    options=st.fixed_dictionaries(
        {
            "form": st.sampled_from(("direct", "delta_sigma")),
            "residual_bits": st.sampled_from((8, 16)),
        }
    ),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_mapped_files_are_bit_equal_to_memory(
    nodes, entries, width, step_grids, own, options, seed
) -> None:  # type: ignore[no-untyped-def]
    graph = random_graph(nodes, entries, seed, hub=seed % 2 == 0)
    x0, weights = random_features(nodes, width, seed), StepCoefficients(own, 0.9, 0.1)
    expected = propagate(x0, graph, step_grids, weights, **options).features
    with tempfile.TemporaryDirectory() as folder:
        found = propagate_mapped(
            x0, graph, step_grids, weights, Path(folder), num_threads=2, **options
        )
        assert torch.equal(found, expected)


@needs_cpu
def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    graph, x0 = random_graph(50, 300, 0), random_features(50, 40, 0)
    with pytest.raises(OSError, match=r"no room for 8,000 bytes \(No space left"):
        propagate_mapped(x0, graph, GRIDS, WEIGHTS, tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_cpu
def test_the_result_is_a_file_that_another_call_replaces(tmp_path: Path) -> None:
    graph, x0 = random_graph(50, 300, 0), random_features(50, 40, 0)
    first = propagate_mapped(x0, graph, GRIDS, WEIGHTS, tmp_path)
    kept = first.clone()
    second = propagate_mapped(2 * x0, graph, GRIDS, WEIGHTS, tmp_path, form="delta_sigma")
    assert {path.name for path in tmp_path.iterdir()} == {"features", "state"}
    content = bytearray((tmp_path / "features").read_bytes())
    assert torch.equal(torch.frombuffer(content, dtype=torch.float32).view_as(x0), second)
    assert torch.equal(first, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": "sigma"}, "form must be one of"),
        ({"residual_bits": 4}, "residual_bits must be one of"),
        ({"x0": torch.ones(4, 2)}, "x0 must have 5 rows"),
        ({"grids": []}, "grids must hold one grid per step"),
        ({"num_threads": 0}, "num_threads must be a whole number in 1..4096, got 0"),
    ],
)
@needs_cpu
def test_wrong_arguments_are_named(tmp_path: Path, change, message) -> None:  # type: ignore[no-untyped-def]
    arguments = {
        "x0": torch.ones(5, 2),
        "graph": random_graph(5, 9, 0),
        "grids": GRIDS,
        "coefficients": WEIGHTS,
        "folder": tmp_path,
    }
    with pytest.raises(ValueError, match=message):
        propagate_mapped(**(arguments | change))


def test_a_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"folder must exist, got .*nowhere"):
        propagate_mapped(
            torch.ones(5, 2), random_graph(5, 9, 0), GRIDS, WEIGHTS, tmp_path / "nowhere"
        )


def test_the_kernels_must_be_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qgnn_lightning.kernels.backends._REASONS", {"cpu": lambda: "not here"})
    with pytest.raises(BackendUnavailableError, match="not here"):
        propagate_mapped(torch.ones(5, 2), random_graph(5, 9, 0), GRIDS, WEIGHTS, tmp_path)
