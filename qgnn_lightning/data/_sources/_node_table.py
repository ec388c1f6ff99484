"""What CSV and Parquet files say about nodes and edges."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import GraphNames
from qgnn_lightning.data._sources._tables import Row, Table
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import GraphDataError

PARTS = ("train", "val", "test")
_NODE = "node"
_UNKNOWN = ("", "-1")
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of the nodes, and what other files call the nodes.

    Args:
        nodes: Number of each node by its name.
        y: Class of each node, int64; -1 where it is unknown.
        names: Names of nodes and classes, where the file has any.

    Shapes:
        y: ``(num_nodes,)``.
    """

    nodes: Mapping[str, int]
    y: Tensor
    names: GraphNames


def number_classes(path: Path, labels: list[str]) -> tuple[Tensor, tuple[str, ...] | None]:
    """Whole numbers stay as they are; other labels are names, numbered in alphabetical order.

    An empty label and -1 are unknown ones, -1.

    Raises:
        GraphDataError: If no label is known, or a whole number is too large for a class.
    """
    known = {label for label in labels if label not in _UNKNOWN}
    if labels and not known:
        raise GraphDataError(f"{path} must hold a label for at least one node")
    names = None
    if all(label.isascii() and label.isdecimal() for label in known):
        for label in known:
            _check_class_number(path, label, len(labels))
        number = {label: int(label) for label in known}
    else:
        names = tuple(sorted(known))
        number = {name: index for index, name in enumerate(names)}
    number |= dict.fromkeys(_UNKNOWN, -1)
    return torch.tensor([number[label] for label in labels], dtype=torch.int64), names


def _check_class_number(path: Path, label: str, num_nodes: int) -> None:
    # The length first: Python reads no whole numbers of thousands of digits.
    if len(label.lstrip("0")) <= len(str(num_nodes)) and int(label) < num_nodes:
        return
    raise GraphDataError(
        f"{path}: labels that are all whole numbers are the numbers of the classes, from 0 and "
        f"below the number of nodes, {num_nodes}; got {label[:40]} (where they are names, put a "
        "letter before them)"
    )


def read_labels(table: Table) -> Labels:
    """Read ``label`` and, where the nodes have names, ``node``.

    Args:
        table: The table.

    Raises:
        GraphDataError: If a node is named twice, no label is known, or one is too large.
    """
    table.require(["label"], [_NODE])
    label, node = table.column("label"), table.column(_NODE)
    assert label is not None
    nodes: dict[str, int] = {}
    labels: list[str] = []
    for row in table.rows:
        name = str(len(labels)) if node is None else row.cells[node]
        with table.faults:
            if name in nodes:
                raise row.fault(f"node {name!r} must appear once")
            nodes[name] = len(labels)
            labels.append(row.cells[label])
    table.faults.tell()
    y, class_names = number_classes(table.path, labels)
    return Labels(nodes, y, GraphNames(None if node is None else tuple(nodes), class_names))


def read_features(table: Table, nodes: Mapping[str, int]) -> Tensor:
    """Read one number per node and column; float32 ``(num_nodes, num_features)``.

    Args:
        table: The table; with a column ``node`` its rows may come in any order.
        nodes: Number of each node by its name.

    Raises:
        GraphDataError: If a cell is no finite number, or a node is missing or named twice.
    """
    skipped = table.column(_NODE)
    columns = [column for column in range(len(table.header)) if column != skipped]
    values, order = array("f"), array("q")
    for node, row in _by_node(table, nodes):
        order.append(node)
        with table.faults:
            values.extend(_number(row, column, table.header) for column in columns)
    if len(order) != len(nodes):
        missing = list(nodes)[min(set(range(len(nodes))) - set(order))]
        raise GraphDataError(
            f"{table.path} must have a row for each of the {len(nodes)} nodes, "
            f"got {len(order)}; node {missing!r} has none"
        )
    x = torch.empty(len(nodes), len(columns))
    if x.numel():
        x[torch.tensor(order)] = torch.tensor(values).view(x.shape)
    return x


def read_split(table: Table, nodes: Mapping[str, int]) -> Split:
    """Read ``split``: train, val, test, or nothing.

    Args:
        table: The table; with a column ``node``, nodes without a row are in no part.
        nodes: Number of each node by its name.

    Raises:
        GraphDataError: If a part is another, or a node is named twice.
    """
    table.require(["split"], [_NODE])
    column = table.column("split")
    assert column is not None
    parts = [""] * len(nodes)
    for node, row in _by_node(table, nodes):
        part = row.cells[column]
        with table.faults:
            if part not in (*PARTS, ""):
                raise row.fault(f"split must be {', '.join(PARTS)} or empty, got {part!r}")
        parts[node] = part
    return split_of(np.array(parts))


def split_of(parts: np.ndarray[tuple[int], np.dtype[np.str_]]) -> Split:
    """The masks of nodes that each name their part of the split."""
    return Split(*(torch.from_numpy(parts == part) for part in PARTS))


def read_edges(table: Table, nodes: Mapping[str, int]) -> tuple[Tensor, Tensor | None]:
    """Read ``source``, ``target`` and, where it is there, ``weight``.

    Args:
        table: The table.
        nodes: Number of each node by its name.

    Returns:
        Edges ``(2, num_rows)``, int64, and weights ``(num_rows,)``, float32.

    Raises:
        GraphDataError: If an end is no node, or a weight no positive number.
    """
    table.require(["source", "target"], ["weight"])
    source, target, weight = map(table.column, ("source", "target", "weight"))
    assert source is not None
    assert target is not None
    ends, weights = array("q"), array("f")
    for row in table.rows:
        with table.faults:
            for column in (source, target):
                ends.append(_node(row, column, table.header, nodes))
            if weight is not None:
                weights.append(_positive(row, weight, table.header))
    table.faults.tell()
    edges = torch.tensor(ends, dtype=torch.int64).view(-1, 2).T.contiguous()
    return edges, None if weight is None else torch.tensor(weights)


def _by_node(table: Table, nodes: Mapping[str, int]) -> Iterator[tuple[int, Row]]:
    """Rows with the number of their node: named in ``node``, or else counted.

    Behind the last one the faults of all are told.
    """
    column = table.column(_NODE)
    seen: set[int] = set()
    for position, row in enumerate(table.rows):
        with table.faults:
            if column is None:
                node = position
                if node >= len(nodes):
                    raise row.fault(f"must not have more rows than there are nodes, {len(nodes)}")
            else:
                node = _node(row, column, table.header, nodes)
            if node in seen:
                raise row.fault(f"node {row.cells[column or 0]!r} must appear once")
            seen.add(node)
            yield node, row
    table.faults.tell()
    if column is None and len(seen) != len(nodes):
        raise GraphDataError(
            f"{table.path} must have a row for each of the {len(nodes)} nodes, got {len(seen)}"
        )


def _node(row: Row, column: int, header: tuple[str, ...], nodes: Mapping[str, int]) -> int:
    name = row.cells[column]
    if name not in nodes:
        raise row.fault(f"{header[column]} must be one of the {len(nodes)} nodes, got {name!r}")
    return nodes[name]


def _number(row: Row, column: int, header: tuple[str, ...]) -> float:
    try:
        value = float(row.cells[column])
    except ValueError:
        value = math.nan
    if _LARGEST < abs(value) < math.inf:
        raise row.fault(f"{header[column]} is too large for float32: {row.cells[column]!r}")
    if not math.isfinite(value):
        hint = "" if _NODE in header else "; names of nodes stand in a column named node"
        raise row.fault(
            f"{header[column]} must be a finite number, got {row.cells[column]!r}{hint}"
        )
    return value


def _positive(row: Row, column: int, header: tuple[str, ...]) -> float:
    value = _number(row, column, header)
    if value <= 0:
        raise row.fault(f"{header[column]} must be positive, got {row.cells[column]!r}")
    return value
