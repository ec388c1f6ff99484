"""Row blocks with mapped files give what the propagation in memory gives, bit for bit."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import grids, random_features, random_graph

from qgnn_lightning.kernels import Grid, StepCoefficients, propagate, propagate_in_blocks

_WEIGHTS = StepCoefficients(0.0, 0.9, 0.1)
_GRIDS = [Grid(2, 0.5, 1)] * 3


@given(
    nodes=st.sampled_from((1, 17, 120)),
    entries=st.sampled_from((0, 60, 1500)),
    width=st.sampled_from((1, 32, 40, 65, 300)),
    step_grids=grids(),
    form=st.sampled_from(("direct", "delta_sigma")),
    residual_bits=st.sampled_from((8, 16)),
    rows_per_block=st.sampled_from((1, 16, 1000)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_blocks_are_bit_equal(
    nodes, entries, width, step_grids, form, residual_bits, rows_per_block, seed
):
    graph = random_graph(nodes, entries, seed, hub=seed % 2 == 0)
    x0 = random_features(nodes, width, seed)
    options = {"form": form, "residual_bits": residual_bits}
    expected = propagate(x0, graph, step_grids, _WEIGHTS, **options)
    with tempfile.TemporaryDirectory() as folder:
        found = propagate_in_blocks(
            x0,
            graph,
            step_grids,
            _WEIGHTS,
            Path(folder),
            rows_per_block=rows_per_block,
            num_threads=2,
            **options,
        )
        assert torch.equal(found, expected.features)


@pytest.mark.parametrize(("form", "codes"), [("direct", 2), ("delta_sigma", 3)])
def test_state_and_result_are_files_of_their_bits(tmp_path, form, codes):
    graph, x0 = random_graph(50, 300, 0), random_features(50, 40, 0)
    found = propagate_in_blocks(x0, graph, _GRIDS, _WEIGHTS, tmp_path, form=form)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    expected = {f"codes-{number}": 50 * 16 for number in range(codes)}
    expected["features"] = 4 * x0.numel()
    if form == "delta_sigma":
        expected["residual"] = x0.numel()
    assert sizes == expected
    stored = torch.frombuffer(bytearray((tmp_path / "features").read_bytes()), dtype=torch.float32)
    assert torch.equal(stored.view_as(found), found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": StepCoefficients(0.5, 0.4, 0.1)}, "own must be 0 .* got 0.5"),
        ({"rows_per_block": 0}, "rows_per_block must be at least 1, got 0"),
        ({"form": "sigma"}, "form must be one of"),
        ({"residual_bits": 4}, "residual_bits must be one of"),
        ({"x0": torch.ones(4, 2)}, "x0 must have 5 rows"),
    ],
)
def test_wrong_arguments(tmp_path, change, message):
    arguments = {
        "x0": torch.ones(5, 2),
        "graph": random_graph(5, 9, 0),
        "grids": _GRIDS,
        "coefficients": _WEIGHTS,
        "folder": tmp_path,
    }
    with pytest.raises(ValueError, match=message):
        propagate_in_blocks(**(arguments | change))


def test_a_folder_that_is_not_there(tmp_path):
    graph = random_graph(5, 9, 0)
    with pytest.raises(NotADirectoryError, match=r"folder must exist, got .*nowhere"):
        propagate_in_blocks(torch.ones(5, 2), graph, _GRIDS, _WEIGHTS, tmp_path / "nowhere")
