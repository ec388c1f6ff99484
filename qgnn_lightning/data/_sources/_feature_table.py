"""The features of the nodes from a table."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._sources._nodes import Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, RowError, shown
from qgnn_lightning.data._sources._table_rows import LARGEST, check_number, rows_of_nodes
from qgnn_lightning.data._sources._tables import SUFFIXES, Row, Table
from qgnn_lightning.data._validation import GraphDataError

#: A kind of faults that a slip in the names of the nodes leads to.
NO_FEATURES = "nodes without features"
_TEXT = "encode a column of text as numbers (one column per value), or drop it"


def read_features(table: Table, nodes: Nodes, faults: FileFaults) -> Tensor:
    """Read one number per node and column; float32 ``(num_nodes, num_features)``.

    Args:
        table: The table; with a column ``node`` its rows may come in any order.
        nodes: The nodes.
        faults: Takes what is wrong with single rows: a cell that is no finite number, a node that
            is missing or named twice.

    Raises:
        GraphDataError: If the rows are counted, and fewer than the nodes; if their order does not
            tell which node is which; or if any row is wrong.
    """
    skipped = table.column("node")
    columns = _feature_columns(table)
    values, order, lines = array("f"), array("q"), dict[str, int]()
    for name, node, row in rows_of_nodes(table, nodes, faults):
        with faults:
            first = lines.setdefault(name, row.number)
            if first != row.number:
                raise _repeated(row, name, first)
            if node is not None:
                order.append(node)
            table.check(row)
            values.extend(_numbers(row, columns, name, faults))
    _check_all_there(table, nodes, order, faults)
    _explain_text(table, faults)
    faults.stop(table.path, table.num_rows)
    faults.stop(nodes.path)
    if skipped is not None:
        _check_one_order(table, nodes, order)
    x = torch.empty(len(order), len(columns))
    if x.numel():
        x[torch.from_numpy(np.array(order))] = torch.from_numpy(np.array(values)).view(x.shape)
    return x


def column_names(table: Table) -> tuple[str, ...] | None:
    """What the features of a table are called; ``None`` where a name comes twice.

    Args:
        table: The table.
    """
    # One form for each accent.
    names = [unicodedata.normalize("NFC", table.header[one]) for one in _feature_columns(table)]
    return tuple(names) if len(set(names)) == len(names) else None


def _feature_columns(table: Table) -> list[int]:
    """Positions of the columns that hold features."""
    skipped = table.column("node")
    return [column for column in range(len(table.header)) if column != skipped]


def _check_one_order(table: Table, nodes: Nodes, order: Sequence[int]) -> None:
    """Rows of two tables are of the same nodes by their names, or by an order that both have."""
    if nodes.named or nodes.path.suffix not in SUFFIXES:  # arrays number their nodes by definition
        return
    for position, node in enumerate(order):
        if node != position:
            raise GraphDataError(
                f"{table.path} must name its nodes 0, 1, 2, ... in this order, because "
                f"{nodes.path.name} has no column node, got {node} after {position} rows; give "
                f"{nodes.path.name} that column, or sort both files by it"
            )


def _repeated(row: Row, name: str, first: int) -> RowError:
    rule = f"node {shown(name)} must appear once, it is on {row.table.unit} {first} too"
    return RowError(row.place, "repeated nodes", name, rule)


def _numbers(row: Row, columns: list[int], name: str, faults: FileFaults) -> list[float]:
    try:
        cells = [row.cells[column] for column in columns]
        numbers = [float(cell) for cell in cells]
        # Where the sum is, each of them is, and none is NaN.
        if sum(map(abs, numbers)) <= LARGEST and "_" not in "".join(cells):
            return numbers
    except ValueError:
        pass
    numbers = []
    for column in columns:
        try:
            numbers.append(check_number(row, column, row.table.header))
        except RowError as fault:
            fault.node = name
            faults.add(fault)
    return numbers


def _explain_text(table: Table, faults: FileFaults) -> None:
    """A column without any number is text, not a slip."""
    for one in faults.of_kind("columns without finite numbers"):
        if one.first.place.path == table.path and one.count == table.num_rows:
            one.first.hint = one.first.hint or _TEXT


def _check_all_there(table: Table, nodes: Nodes, seen: Collection[int], faults: FileFaults) -> None:
    """Each node has a row; where one has none, the fault is in the file that lists it."""
    for node in nodes.missing(seen):
        rule = f"node {shown(nodes.name(node))} has no row in {table.path.name}"
        faults.add(RowError(nodes.place(node), NO_FEATURES, nodes.name(node), rule))
