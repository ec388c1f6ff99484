"""One's own graph from an .npz file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from qgnn_lightning.data import GraphBatch, GraphDataError, GraphDataModule


@pytest.fixture
def arrays(tensors) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors().items()}


def _load(path: Path, arrays: dict[str, np.ndarray], **arguments) -> GraphBatch:
    np.savez(path, **arrays)
    data = GraphDataModule("npz", root=str(path), **arguments)
    data.prepare_data()
    data.setup()
    return data.graph


def test_a_file_gives_the_graph_that_its_tensors_give(tmp_path, arrays, tensors):
    graph = _load(tmp_path / "g.npz", arrays | {"notes": np.array("ignored")})
    expected = GraphBatch.from_tensors(**tensors())
    for name in ("x", "y", "train_mask", "val_mask", "test_mask", "node_ids"):
        assert torch.equal(getattr(graph, name), getattr(expected, name))
    assert torch.equal(graph.adjacency.col, expected.adjacency.col)


def test_weights_are_read(tmp_path, arrays):
    graph = _load(tmp_path / "g.npz", arrays | {"edge_weight": np.full(24, 0.5)})
    assert graph.adjacency.degree.tolist() == [2.0] * 12


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "uint32", "uint64"])
def test_edges_may_be_any_integers(tmp_path, dtype):
    nodes = 300  # as a number of 8 bits it would be 44
    ring = np.arange(100)
    arrays = {
        "x": np.ones((nodes, 2)),
        "y": np.arange(nodes) % 2,
        "edge_index": np.stack([ring, (ring + 1) % 100]).astype(dtype),
    }
    counts = {"num_train_per_class": 2, "num_val": 3, "num_test": 3}
    graph = _load(tmp_path / "g.npz", arrays, split="random", **counts)
    assert graph.adjacency.degree.tolist() == [2.0] * 100 + [1.0] * 200


def test_masks_are_only_needed_for_the_public_split(tmp_path, arrays):
    plain = {name: arrays[name] for name in ("x", "edge_index", "y")}
    counts = {"num_train_per_class": 2, "num_val": 3, "num_test": 3}
    graph = _load(tmp_path / "g.npz", plain, split="random", **counts)
    assert int(graph.train_mask.sum()) == 6
    with pytest.raises(GraphDataError, match="npz has no public split"):
        _load(tmp_path / "g.npz", plain)


def test_sparse_features_become_sparse(tmp_path, arrays):
    graph = _load(tmp_path / "g.npz", arrays | {"x": np.eye(12, 100)})
    assert graph.x.layout == torch.sparse_csr
    assert torch.equal(graph.x.to_dense(), torch.eye(12, 100))


@pytest.mark.parametrize("gone", [{"x"}, {"x", "edge_index", "y"}, {"val_mask"}])
def test_missing_arrays_are_listed(tmp_path, arrays, gone):
    path = tmp_path / "g.npz"
    kept = {name: array for name, array in arrays.items() if name not in gone}
    listed = ", ".join(name for name in arrays if name in gone)
    with pytest.raises(GraphDataError, match=re.escape(f"{path} must hold the arrays x,")) as error:
        _load(path, kept)
    assert str(error.value).endswith(f"missing: {listed}")


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.npz"
    message = re.escape(f"root must be an .npz file, there is none at {path}")
    data = GraphDataModule("npz", root=str(path))
    for call in (data.prepare_data, data.setup):
        with pytest.raises(GraphDataError, match=message):
            call()
    with pytest.raises(GraphDataError, match=r"data.root is needed, the path of the .npz file"):
        GraphDataModule("npz")


def test_pickled_objects_and_other_files_are_refused(tmp_path, arrays):
    path = tmp_path / "g.npz"
    with pytest.raises(GraphDataError, match=r"must be a numpy .npz file of plain arrays"):
        _load(path, arrays | {"x": np.array([{"a": 1}], dtype=object)})
    for content in (b"", b"PK\x03\x04 cut off", b"\x80\x04N."):
        path.write_bytes(content)
        with pytest.raises(GraphDataError, match=r"must be a numpy .npz file of plain arrays"):
            GraphDataModule("npz", root=str(path)).setup()
    np.save(path.with_suffix(".npy"), arrays["x"])
    with pytest.raises(GraphDataError, match=r"must be a numpy .npz file of plain arrays"):
        GraphDataModule("npz", root=str(path.with_suffix(".npy"))).setup()


def test_the_content_is_checked(tmp_path, arrays):
    with pytest.raises(GraphDataError, match=r"edge_index must hold integers, got torch.float64"):
        _load(tmp_path / "g.npz", arrays | {"edge_index": arrays["edge_index"] * 1.0})


def test_labels_may_be_unsigned(tmp_path, arrays):
    graph = _load(tmp_path / "g.npz", arrays | {"y": arrays["y"].astype(np.uint8)})
    assert graph.y.tolist() == arrays["y"].tolist()


def test_to_predict_no_label_and_no_mask_is_looked_at(tmp_path, arrays):
    wrong = {name: np.zeros(12, bool) for name in ("train_mask", "val_mask", "test_mask")}
    np.savez(tmp_path / "g.npz", **arrays | wrong | {"y": np.full(12, 7, np.uint8)})
    data = GraphDataModule("npz", root=str(tmp_path / "g.npz"))
    data.setup("predict")
    assert data.graph.y.tolist() == [-1] * 12
    assert data.num_classes == 0
    with pytest.raises(GraphDataError, match="labels of at least two classes, got 1"):
        data.setup("test")


def test_a_test_needs_test_nodes_only_and_a_training_looks_again(tmp_path, arrays):
    nothing, path = np.zeros(12, bool), tmp_path / "g.npz"
    np.savez(path, **arrays | {"train_mask": nothing, "val_mask": nothing})
    data = GraphDataModule("npz", root=str(path))
    data.setup("test")
    graph = data.graph
    assert graph.test_mask.tolist() == arrays["test_mask"].tolist()
    data.setup("predict")
    assert data.graph is graph
    for stage in ("fit", "validate", None):
        with pytest.raises(GraphDataError, match="train_mask must select at least one node"):
            data.setup(stage)
    np.savez(path, **arrays | {"test_mask": nothing})
    with pytest.raises(GraphDataError, match="test_mask must select at least one node, it sel"):
        GraphDataModule("npz", root=str(path)).setup("test")
