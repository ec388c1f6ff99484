"""The checks a graph passes once, when it is loaded, before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import combinations
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from qgnn_lightning.errors import OptionError

#: The parts of a split.
PARTS = ("train", "val", "test")
#: Those that are needed where a trained network is tested.
TESTED_PARTS = ("test",)
_ROWS_PER_BLOCK = 1 << 17
_LARGEST = torch.finfo(torch.float32).max


class GraphDataError(ValueError):
    """The data of a graph, its split or its files are not what was asked for.

    Attributes:
        num_places: Places, such as lines of a file, where it is so.
    """

    num_places = 1


class GraphOptionError(GraphDataError, OptionError):
    """An option of the data names nothing, or does not go together with the graph."""


class GraphFaultsError(GraphDataError):
    """Several faults of a graph, told together: the message is the first, the notes are the others.

    Args:
        faults: At least two.
    """

    def __init__(self, faults: Sequence[GraphDataError]) -> None:
        self.faults = tuple(faults)
        self.num_places = sum(fault.num_places for fault in faults)
        super().__init__(f"{faults[0]} (and {len(faults) - 1:,} more: `qgnn data check` tells all)")
        for fault in faults[1:]:
            self.add_note(str(fault))


class Faults:
    """Faults that are gathered, so that one error tells all.

    ``with faults:`` stands around each check that needs no other, :meth:`tell` behind the last.
    """

    def __init__(self) -> None:
        self._found: list[GraphDataError] = []

    def __enter__(self) -> None:
        """Begin a check."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Keep what the check has found; other errors are not ours."""
        if not isinstance(error, GraphDataError):
            return False
        self.add(error)
        return True

    def add(self, fault: GraphDataError) -> None:
        """Keep a fault."""
        self._found.append(fault)

    def tell(self) -> None:
        """End the checks.

        Raises:
            GraphDataError: If anything was found; the fault itself where it is the only one, else
                a :class:`GraphFaultsError`.
        """
        match self._found:
            case []:
                return
            case [fault]:
                raise fault
        raise GraphFaultsError(self._found)


def validate_graph(
    x: Tensor,
    edge_index: Tensor,
    y: Tensor,
    *,
    edge_weight: Tensor | None = None,
    num_classes: int | None = None,
) -> None:
    """Check features, edges and labels against each other.

    Args:
        x: Features, dense or torch.sparse CSR, finite in float32.
        edge_index: Edges, integer, sources in row 0 and targets in row 1.
        y: Labels, integer, from 0 up, -1 where unknown; classes without a node are allowed.
        edge_weight: Positive, finite weights, or ``None``.
        num_classes: Number of classes, or ``None`` to take it from the labels.

    Shapes:
        x: ``(num_nodes, num_features)``; edge_index: ``(2, num_edges)``; y: ``(num_nodes,)``;
        edge_weight: ``(num_edges,)``.

    Raises:
        GraphDataError: If anything is not as described; the message names the first offender of
            features, edges and labels each.
    """
    _check_matrix(x)
    faults = Faults()
    with faults:
        _check_values(x)
    with faults:
        check_edges(edge_index, x.shape[0], edge_weight)
    with faults:
        check_labels(y, x.shape[0], num_classes)
    faults.tell()


def validate_masks(
    y: Tensor,
    train_mask: Tensor,
    val_mask: Tensor,
    test_mask: Tensor,
    needed: Collection[str] = PARTS,
) -> None:
    """Check that three masks select disjoint sets of nodes whose labels are known.

    Args:
        y: Labels, -1 where unknown.
        train_mask: Nodes to train on, bool.
        val_mask: Nodes to select the model on, bool.
        test_mask: Nodes to report the accuracy on, bool.
        needed: Parts, of ``train``, ``val`` and ``test``, that must have a node.

    Shapes:
        y, train_mask, val_mask, test_mask: ``(num_nodes,)``.

    Raises:
        GraphDataError: If a mask has another type or shape, is empty though it is needed, overlaps
            another, or selects a node without a label.
    """
    masks = dict(zip(PARTS, (train_mask, val_mask, test_mask), strict=True))
    faults = Faults()
    for part, mask in masks.items():
        with faults:
            _check_mask(f"{part}_mask", mask, y)
            if part in needed and not bool(mask.any()):
                raise GraphDataError(f"{part}_mask must select at least one node, it selects none")
    faults.tell()
    for first, second in combinations(PARTS, 2):
        shared = (masks[first] & masks[second]).nonzero()
        if shared.numel():
            raise GraphDataError(
                f"{first}_mask and {second}_mask must be disjoint, found {len(shared)} nodes in "
                f"both, the first is node {int(shared[0])}"
            )


def check_features(x: Tensor) -> None:
    """Check that features are a matrix of numbers that fit into float32."""
    _check_matrix(x)
    _check_values(x)


def _check_matrix(x: Tensor) -> None:
    if x.dim() != 2 or x.layout not in (torch.strided, torch.sparse_csr):
        raise GraphDataError(
            "x must be a dense or torch.sparse CSR matrix (num_nodes, num_features), "
            f"got {x.layout} of shape {tuple(x.shape)}"
        )
    if 0 in x.shape:
        raise GraphDataError(f"x must have nodes and features, got shape {tuple(x.shape)}")


def _check_values(x: Tensor) -> None:
    values = x.values() if x.layout == torch.sparse_csr else x
    # In blocks: the features may be larger than the memory.
    for start in range(0, values.shape[0], _ROWS_PER_BLOCK):
        block = values[start : start + _ROWS_PER_BLOCK]
        fit = block.isfinite()
        if block.dtype == torch.float64:
            fit &= block.abs() <= _LARGEST
        if not bool(fit.all()):
            position = (~fit).nonzero()[0]
            position[0] += start
            value = float(values[tuple(position)])
            row, col = _csr_position(x, int(position)) if values.dim() == 1 else position.tolist()
            rule = "fit into float32" if math.isfinite(value) else "be finite"
            raise GraphDataError(f"x must {rule}, got {value} in row {row}, column {col}")


def _csr_position(x: Tensor, entry: int) -> tuple[int, int]:
    row = int(torch.searchsorted(x.crow_indices(), entry, right=True)) - 1
    return row, int(x.col_indices()[entry])


def check_edges(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None) -> None:
    """Check that edges link nodes that there are, with positive weights where there are any."""
    _check_ends(edge_index, num_nodes)
    if edge_weight is not None:
        _check_weights(edge_weight, edge_index.shape[1])


def _check_ends(edge_index: Tensor, num_nodes: int) -> None:
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise GraphDataError(
            f"edge_index must have shape (2, num_edges), got {tuple(edge_index.shape)}"
        )
    if not _is_integer(edge_index):
        raise GraphDataError(f"edge_index must hold integers, got {edge_index.dtype}")
    if not edge_index.numel() or (edge_index.min() >= 0 and edge_index.max() < num_nodes):
        return
    outside = ((edge_index < 0) | (edge_index >= num_nodes)).any(0)
    position = int(outside.nonzero()[0])
    raise GraphDataError(
        f"edge_index must lie in [0, {num_nodes}), got the edge "
        f"{edge_index[:, position].tolist()} at position {position}"
    )


def check_labels(y: Tensor, num_nodes: int, num_classes: int | None = None) -> None:
    """Check that labels are integers from 0 up, or -1 where unknown, one per node."""
    if y.shape != (num_nodes,):
        hint = "; drop the last dimension with y.squeeze(1)" if y.shape == (num_nodes, 1) else ""
        raise GraphDataError(
            f"y must have one label per node, shape ({num_nodes},), got {tuple(y.shape)}{hint}"
        )
    if not _is_integer(y):
        raise GraphDataError(f"y must hold integers, got {y.dtype}")
    y = y.long()  # unsigned numbers have no -1 to compare with
    # A label above the number of nodes would mean more classes than nodes: not a class.
    limit = num_nodes if num_classes is None else num_classes
    outside = ((y < -1) | (y >= limit)).nonzero()
    if outside.numel():
        node = int(outside[0])
        raise GraphDataError(
            f"y must lie in [0, {limit}), or be -1 where it is unknown, "
            f"got {int(y[node])} at node {node}"
        )


def check_several_classes(y: Tensor, where: Path | str) -> None:
    """Check that there is something to tell apart.

    Args:
        y: Labels, -1 where unknown.
        where: What holds them, for the message.

    Shapes:
        y: ``(num_nodes,)``.

    Raises:
        GraphDataError: If the known labels name fewer than two classes.
    """
    found = len(y[y >= 0].long().bincount().nonzero())
    if found < 2:
        enough = "" if found else ": enough for qgnn predict, not to train or to test"
        raise GraphDataError(
            f"{where} must hold labels of at least two classes, got {found}{enough}"
        )


def _check_weights(edge_weight: Tensor, num_edges: int) -> None:
    if edge_weight.shape != (num_edges,):
        raise GraphDataError(
            f"edge_weight must have one value per edge, shape ({num_edges},), "
            f"got {tuple(edge_weight.shape)}"
        )
    wrong = (~((edge_weight > 0) & edge_weight.isfinite())).nonzero()
    if wrong.numel():
        position = int(wrong[0])
        raise GraphDataError(
            "edge_weight must be positive and finite, got "
            f"{float(edge_weight[position])} at position {position}"
        )


def _check_mask(name: str, mask: Tensor, y: Tensor) -> None:
    if mask.dtype != torch.bool or mask.shape != y.shape:
        raise GraphDataError(
            f"{name} must be bool of shape ({y.numel()},), got {mask.dtype} of shape "
            f"{tuple(mask.shape)}"
        )
    unknown = (mask & (y < 0)).nonzero()
    if unknown.numel():
        raise GraphDataError(
            f"{name} must select nodes with a label, {len(unknown)} have none, "
            f"the first is node {int(unknown[0])}"
        )


def _is_integer(values: Tensor) -> bool:
    return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)
