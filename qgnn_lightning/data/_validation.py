"""The checks a graph passes once, when it is loaded, before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from qgnn_lightning.errors import OptionError
from qgnn_lightning.graph import check_tensor

#: The parts of a split.
PARTS = ("train", "val", "test")
#: Those that are needed where a trained network is tested.
TESTED_PARTS = ("test",)
_ROWS_PER_BLOCK = 1 << 17
_MOST_EDGES = 5
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
        told_by: The command that tells all, where there may be too many for a line; without one
            the message tells them.
    """

    def __init__(self, faults: Sequence[GraphDataError], told_by: str | None = None) -> None:
        self.faults = tuple(faults)
        self.num_places = sum(fault.num_places for fault in faults)
        if told_by is None:
            super().__init__("; ".join(map(str, faults)))
            return
        super().__init__(f"{faults[0]} (and {len(faults) - 1:,} more: `{told_by}` tells all)")
        for fault in faults[1:]:
            self.add_note(str(fault))


class Faults:
    """Faults that are gathered, so that one error tells all.

    ``with faults:`` stands around each check that needs no other, :meth:`tell` behind the last.

    Args:
        told_by: As for :class:`GraphFaultsError`.
    """

    def __init__(self, told_by: str | None = None) -> None:
        self._told_by = told_by
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
        raise GraphFaultsError(self._found, self._told_by)


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
        TypeError: If a part is no tensor.
        GraphDataError: If anything is not as described; the message names the first offenders of
            features, edges, weights and labels each.
    """
    for name, value in {"x": x, "edge_index": edge_index, "y": y}.items():
        check_tensor(name, value)
    if edge_weight is not None:
        check_tensor("edge_weight", edge_weight)
    _check_matrix(x, "x")
    faults = Faults()
    with faults:
        _check_values(x, "x")
    with faults:
        check_edges(edge_index, x.shape[0])
        if edge_weight is not None:
            check_weights(edge_weight, edge_index.shape[1])
    with faults:
        check_labels(y, x.shape[0], num_classes)
    faults.tell()


def check_features(x: Tensor, name: str) -> None:
    """Check that features, of that name, are a matrix of numbers that fit into float32."""
    _check_matrix(x, name)
    _check_values(x, name)


def _check_matrix(x: Tensor, name: str) -> None:
    if x.dim() != 2 or x.layout not in (torch.strided, torch.sparse_csr):
        raise GraphDataError(
            f"{name} must be a dense or torch.sparse CSR matrix (num_nodes, num_features), "
            f"got {x.layout} of shape {tuple(x.shape)}"
        )
    if 0 in x.shape:
        raise GraphDataError(f"{name} must have nodes and features, got shape {tuple(x.shape)}")


def _check_values(x: Tensor, name: str) -> None:
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
            raise GraphDataError(f"{name} must {rule}, got {value} in row {row}, column {col}")


def _csr_position(x: Tensor, entry: int) -> tuple[int, int]:
    row = int(torch.searchsorted(x.crow_indices(), entry, right=True)) - 1
    return row, int(x.col_indices()[entry])


def check_edges(edge_index: Tensor, num_nodes: int, name: str = "edge_index") -> None:
    """Check that edges, of that name, link nodes that there are."""
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise GraphDataError(
            f"{name} must have shape (2, num_edges), got {tuple(edge_index.shape)}"
        )
    if not _is_integer(edge_index):
        raise GraphDataError(f"{name} must hold integers, got {edge_index.dtype}")
    edge_index = edge_index.long()  # small types cannot be compared with any number of nodes
    if not edge_index.numel() or (edge_index.min() >= 0 and edge_index.max() < num_nodes):
        return
    outside = ((edge_index < 0) | (edge_index >= num_nodes)).any(0).nonzero()[:, 0].tolist()
    told = [f"{edge_index[:, one].tolist()} at position {one}" for one in outside[:_MOST_EDGES]]
    found = "got the edge" if len(outside) == 1 else f"{len(outside):,} edges do not:"
    more = ", ..." if len(outside) > _MOST_EDGES else ""
    fault = GraphDataError(f"{name} must lie in [0, {num_nodes}), {found} {', '.join(told)}{more}")
    fault.num_places = len(outside)
    raise fault


def check_labels(
    y: Tensor, num_nodes: int, num_classes: int | None = None, name: str = "y"
) -> None:
    """Check that labels, of that name, are integers from 0 up or -1, one per node."""
    if y.shape != (num_nodes,):
        hint = "; drop the last dimension with y.squeeze(1)" if y.shape == (num_nodes, 1) else ""
        raise GraphDataError(
            f"{name} must have one label per node, shape ({num_nodes},), got {tuple(y.shape)}{hint}"
        )
    if not _is_integer(y):
        raise GraphDataError(f"{name} must hold integers, got {y.dtype}")
    y = y.long()  # unsigned numbers have no -1 to compare with
    # A label above the number of nodes would mean more classes than nodes: not a class.
    limit = num_nodes if num_classes is None else num_classes
    outside = ((y < -1) | (y >= limit)).nonzero()
    if outside.numel():
        node = int(outside[0])
        raise GraphDataError(
            f"{name} must lie in [0, {limit}), or be -1 where it is unknown, "
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


def check_known_classes(y: Tensor, where: Path | str) -> None:
    """As :func:`check_several_classes`, but labels may be unknown altogether.

    Args:
        y: Labels, -1 where unknown.
        where: What holds them, for the message.

    Shapes:
        y: ``(num_nodes,)``.

    Raises:
        GraphDataError: If the known labels name one class.
    """
    if bool((y >= 0).any()):
        check_several_classes(y, where)


def check_weights(edge_weight: Tensor, num_edges: int, name: str = "edge_weight") -> None:
    """Check that weights, of that name, are positive and finite, one per edge."""
    if edge_weight.shape != (num_edges,):
        raise GraphDataError(
            f"{name} must have one value per edge, shape ({num_edges},), "
            f"got {tuple(edge_weight.shape)}"
        )
    wrong = (~((edge_weight > 0) & edge_weight.isfinite())).nonzero()
    if wrong.numel():
        position = int(wrong[0])
        raise GraphDataError(
            f"{name} must be positive and finite, got "
            f"{float(edge_weight[position])} at position {position}"
        )


def _is_integer(values: Tensor) -> bool:
    return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)
