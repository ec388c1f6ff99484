"""A folder of arrays: the features stay on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qgnn_lightning.data import GraphBatch, GraphDataError, GraphDataModule


@pytest.fixture
def folder(tensors, tmp_path) -> Path:
    for name, value in tensors().items():
        np.save(tmp_path / f"{name}.npy", value.numpy())
    return tmp_path


def _graph(folder: Path, **options) -> GraphBatch:
    data = GraphDataModule("npy", root=str(folder), **options)
    data.prepare_data()
    data.setup()
    return data.graph


def test_the_graph_is_that_of_the_arrays_and_its_features_are_mapped(folder, tensors):
    graph, expected = _graph(folder), GraphBatch.from_tensors(**tensors())
    assert torch.equal(graph.x, expected.x)
    assert torch.equal(graph.adjacency.col, expected.adjacency.col)
    assert torch.equal(graph.train_mask, expected.train_mask)
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if "x.npy" in line]
    assert any(str(folder / "x.npy") in line for line in mapped)


def test_the_file_is_never_written(folder):
    before = (folder / "x.npy").read_bytes()
    _graph(folder).x.zero_()
    assert (folder / "x.npy").read_bytes() == before


def test_masks_and_weights_are_optional(folder):
    for path in folder.glob("*_mask.npy"):
        path.unlink()
    np.save(folder / "edge_weight.npy", np.full(24, 2.0, "f4"))
    split = {"num_train_per_class": 1, "num_val": 2, "num_test": 2}
    graph = _graph(folder, split="random", **split)
    assert int(graph.train_mask.sum()) == 3
    assert graph.adjacency.degree.tolist() == [5.0] * 12


@pytest.mark.parametrize("missing", ["x", "y", "val_mask"])
def test_missing_files_are_named(folder, missing):
    (folder / f"{missing}.npy").unlink()
    with pytest.raises(GraphDataError, match=rf"missing in .*: {missing}\.npy$"):
        _graph(folder)


def test_objects_doubles_and_damaged_files_are_refused(folder):
    np.save(folder / "x.npy", np.zeros((12, 5)))
    with pytest.raises(GraphDataError, match=r"x\.npy must be float32 to be mapped, got .*float64"):
        _graph(folder)
    np.save(folder / "x.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(GraphDataError, match=r"x\.npy must be a plain numpy array"):
        _graph(folder)
    (folder / "x.npy").write_bytes(b"no array")
    with pytest.raises(GraphDataError, match=r"x\.npy must be a plain numpy array"):
        _graph(folder)


def test_a_value_that_is_not_finite_is_found_in_any_block(folder, monkeypatch):
    x = np.load(folder / "x.npy")
    x[7, 2] = np.inf
    np.save(folder / "x.npy", x)
    monkeypatch.setattr("qgnn_lightning.data._validation._ROWS_PER_BLOCK", 3)
    with pytest.raises(GraphDataError, match="x must be finite, got inf in row 7, column 2"):
        _graph(folder)


def test_a_folder_must_be_named():
    with pytest.raises(GraphDataError, match=r"data\.root is needed, the folder of the"):
        GraphDataModule("npy")


def test_what_the_system_says_of_a_file_is_told(folder, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(GraphDataError, match=r"x\.npy cannot be read: Permission denied$"):
        GraphDataModule("npy", root=str(folder)).setup()
