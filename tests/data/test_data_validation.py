"""Every rule of a valid graph, each broken once, with the message naming the offender."""

from __future__ import annotations

import re
import warnings

import pytest
import torch

from qgnn_lightning.data import GraphBatch, GraphDataError, validate_graph, validate_masks

_X = torch.rand(12, 5, generator=torch.Generator().manual_seed(0))
_TOO_LARGE = _X.double().index_put(
    (torch.tensor([7]), torch.tensor([3])), torch.tensor(-1e300, dtype=torch.float64)
)
_NOT_FINITE = _X.index_put((torch.tensor([7]), torch.tensor([3])), torch.tensor(torch.nan))
_EDGES = torch.tensor([[0, 1, 2], [1, 0, 5]])
_MASK = torch.arange(12) < 4

BROKEN = [
    ("x", _X[0], "x must be a dense or torch.sparse CSR matrix"),
    ("x", _X.to_sparse_coo(), "got torch.sparse_coo of shape (12, 5)"),
    ("x", _X[:, :0], "x must have nodes and features, got shape (12, 0)"),
    ("x", _TOO_LARGE, "x must fit into float32, got -1e+300 in row 7, column 3"),
    ("x", _NOT_FINITE, "x must be finite, got nan in row 7, column 3"),
    ("x", -_NOT_FINITE.nan_to_num(torch.inf), "got -inf in row 7, column 3"),
    ("edge_index", _EDGES.T, "edge_index must have shape (2, num_edges), got (3, 2)"),
    ("edge_index", _EDGES.float(), "edge_index must hold integers, got torch.float32"),
    ("edge_index", _EDGES > 0, "edge_index must hold integers, got torch.bool"),
    (
        "edge_index",
        _EDGES + 7,
        "edge_index must lie in [0, 12), got the edge [9, 12] at position 2",
    ),
    (
        "edge_index",
        _EDGES - 1,
        "edge_index must lie in [0, 12), 2 edges do not: [-1, 0] at position 0, [0, -1] at",
    ),
    ("y", torch.zeros(11).long(), "y must have one label per node, shape (12,), got (11,)"),
    ("y", torch.zeros(12, 1).long(), "got (12, 1); drop the last dimension with y.squeeze(1)"),
    ("y", torch.zeros(12), "y must hold integers, got torch.float32"),
    ("y", torch.arange(12) - 2, "y must lie in [0, 12), or be -1 where it is unknown, got -2"),
    (
        "y",
        torch.arange(12) + 1,
        "y must lie in [0, 12), or be -1 where it is unknown, got 12 at node 11",
    ),
    (
        "edge_weight",
        torch.ones(5),
        "edge_weight must have one value per edge, shape (24,), got (5,)",
    ),
    ("edge_weight", torch.arange(24) - 2.0, "must be positive and finite, got -2.0 at position 0"),
    ("edge_weight", torch.full((24,), torch.nan), "must be positive and finite, got nan"),
    ("train_mask", _MASK.long(), "train_mask must be bool of shape (12,), got torch.int64"),
    ("val_mask", _MASK[1:], "val_mask must be bool of shape (12,), got torch.bool of shape (11,)"),
    ("test_mask", _MASK & False, "test_mask must select at least one node, it selects none"),
    (
        "val_mask",
        ~_MASK,
        "train_mask and val_mask must be disjoint, found 2 nodes in both, the first",
    ),
    ("test_mask", _MASK, "train_mask and test_mask must be disjoint, found 4 nodes in both"),
]


@pytest.mark.parametrize(("part", "value", "message"), BROKEN)
def test_a_broken_part_is_named(tensors, part, value, message):
    with pytest.raises(GraphDataError, match=re.escape(message)):
        GraphBatch.from_tensors(**tensors(**{part: value}))


@pytest.mark.parametrize(
    "part", ["x", "edge_index", "y", "train_mask", "val_mask", "test_mask", "edge_weight"]
)
def test_an_array_in_the_place_of_a_tensor_is_named(tensors, part):
    parts = tensors() | {"edge_weight": torch.ones(24)}
    parts[part] = parts[part].numpy()
    message = f"{part} must be a torch.Tensor, got numpy.ndarray: torch.from_numpy makes one"
    with pytest.raises(TypeError, match=re.escape(message)):
        GraphBatch.from_tensors(**parts)


def test_all_edges_that_lead_nowhere_are_counted_and_the_first_ones_told(tensors):
    edges = torch.tensor([[0, 12, 2], [1, 0, -5]])
    message = "edge_index must lie in [0, 12), 2 edges do not: [12, 0] at position 1, [2, "
    with pytest.raises(GraphDataError, match=re.escape(message + "-5] at position 2")) as caught:
        GraphBatch.from_tensors(**tensors(edge_index=edges))
    assert caught.value.num_places == 2
    with pytest.raises(GraphDataError) as caught:
        GraphBatch.from_tensors(**tensors(edge_index=torch.arange(12, 24).repeat(2, 1)))
    assert str(caught.value).endswith("[16, 16] at position 4, ...")
    assert "12 edges do not" in str(caught.value)


def test_faults_of_tensors_are_all_in_the_message(tensors):
    """There is no file that a command could check."""
    parts = tensors(x=_NOT_FINITE, edge_index=_EDGES + 7, y=torch.zeros(12))
    with pytest.raises(GraphDataError) as caught:
        GraphBatch.from_tensors(**parts)
    assert str(caught.value) == (
        "x must be finite, got nan in row 7, column 3; edge_index must lie in [0, 12), got the "
        "edge [9, 12] at position 2; y must hold integers, got torch.float32"
    )


def test_a_graph_data_error_is_a_value_error():
    assert issubclass(GraphDataError, ValueError)


def test_labels_are_checked_against_a_given_number_of_classes(tensors):
    parts = tensors()
    graph = parts["x"], parts["edge_index"], parts["y"]
    validate_graph(*graph, num_classes=3)
    with pytest.raises(GraphDataError, match=re.escape("got 2 at node 2")):
        validate_graph(*graph, num_classes=2)


def test_classes_without_nodes_and_graphs_without_edges_are_valid(tensors):
    y = torch.tensor([0, 5] * 6)
    validate_graph(tensors()["x"], torch.empty(2, 0, dtype=torch.int64), y)


def test_validation_and_test_masks_must_be_disjoint():
    nodes = torch.arange(4)
    with pytest.raises(GraphDataError, match=r"val_mask and test_mask .* the first is node 2"):
        validate_masks(torch.zeros(4), nodes == 0, nodes == 2, nodes >= 2)


@pytest.mark.parametrize(("row", "col"), [(0, 4), (3, 0), (9, 1), (11, 2)])
def test_a_nan_in_sparse_features_is_located(tensors, row, col):
    x = torch.zeros(12, 5)
    x[:, col] = 1.0
    x[::2, (col + 2) % 5] = 1.0
    x[row, col] = torch.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sparse = x.to_sparse_csr()
    with pytest.raises(GraphDataError, match=f"got nan in row {row}, column {col}"):
        GraphBatch.from_tensors(**tensors(x=sparse))
