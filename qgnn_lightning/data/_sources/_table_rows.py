"""Rows of tables that name nodes, and the numbers in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qgnn_lightning.data._sources._nodes import Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, RowError, shown
from qgnn_lightning.data._sources._tables import Row, Table
from qgnn_lightning.data._validation import GraphDataError

#: Kinds of faults that a slip in the names of the nodes leads to.
UNKNOWN_NAMES = "unknown names"
LARGEST = float(np.finfo(np.float32).max)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


class NodeRow(NamedTuple):
    """A row that is about a node.

    Args:
        name: Name of the node, or what the row calls it where it is none.
        node: Its number, or ``None`` where it is none.
        row: The row.
    """

    name: str
    node: int | None
    row: Row


def rows_of_nodes(table: Table, nodes: Nodes, faults: FileFaults) -> Iterator[NodeRow]:
    """Rows with their node: named in the column ``node``, or else counted.

    Args:
        table: The table.
        nodes: The nodes.
        faults: Takes what is wrong with the node of a row.

    Raises:
        GraphDataError: If the rows are counted, and fewer than the nodes, or their order does not
            tell which node is which.
    """
    column = table.column("node")
    if column is None and not faults.in_rows_of(nodes.path):
        _check_counted(table, nodes)
    for position, row in enumerate(table):
        with faults:
            if column is None:
                node = _counted(row, position, nodes)
                yield NodeRow(nodes.name(node), node, row)
            else:
                yield _named(row, column, table, nodes, faults)
    wanted = nodes.count_or(table.num_rows)
    if column is None and table.num_rows < wanted:
        raise GraphDataError(
            f"{table.path} must have a row for each of the {wanted} nodes, got {table.num_rows}"
        )


def find_node(row: Row, column: int, table: Table, nodes: Nodes) -> int:
    """The number of the node in a cell.

    Raises:
        RowError: If there is no such node.
    """
    name = row.cells[column]
    node = nodes.find(name)
    if node is None:
        rule = f"{table.header[column]} {shown(name)} is no node of {nodes.path.name}"
        raise RowError(row.place, UNKNOWN_NAMES, name, rule)
    return node


def check_number(row: Row, column: int, header: tuple[str, ...]) -> float:
    """The number in a cell.

    Raises:
        RowError: If it is none, not finite, or does not fit into float32.
    """
    try:
        value = float(row.cells[column])
    except ValueError:
        value = math.nan
    if "_" in row.cells[column]:  # Python's own way to write thousands
        value = math.nan
    if abs(value) <= LARGEST:
        return value
    name, what = header[column], "finite numbers"
    if math.isfinite(value):
        what = "numbers that fit into float32"
    rule = f"column {shown(name)} must hold {what}, got {shown(row.cells[column])}"
    fault = RowError(row.place, f"columns without {what}", name, rule)
    if _DECIMAL_COMMA.fullmatch(row.cells[column]):
        fault.hint = "decimals need a point"
    raise fault


def _check_counted(table: Table, nodes: Nodes) -> None:
    for name in table.header:
        if name.casefold() == "node":
            raise GraphDataError(f"{table.path}: the column {shown(name)} must be called node")
    if not nodes.counted:
        raise GraphDataError(
            f"{table.path} must have a column node, as {nodes.path.name} has: rows without a name "
            "go with nodes that are named 0, 1, 2, ... in this order; got the columns "
            f"{table.columns}"
        )


def _named(row: Row, column: int, table: Table, nodes: Nodes, faults: FileFaults) -> NodeRow:
    node = None
    if column >= len(row.cells):
        table.check(row)
    with faults:
        node = find_node(row, column, table, nodes)
    return NodeRow(row.cells[column] if node is None else nodes.name(node), node, row)


def _counted(row: Row, position: int, nodes: Nodes) -> int:
    node = nodes.at(position)
    if node is None:
        rule = f"must not have more rows than {nodes.path.name} has nodes, {position}"
        raise RowError(row.place, "rows too many", "", rule)
    return node
