"""The features of the nodes from a table."""

from __future__ import annotations

from array import array
from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._sources._nodes import Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, RowError, shown
from qgnn_lightning.data._sources._table_rows import LARGEST, check_number, rows_of_nodes
from qgnn_lightning.data._sources._tables import Row, Table

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
        GraphDataError: If the rows are counted, and fewer than the nodes; or if any row is wrong.
    """
    skipped = table.column("node")
    columns = [column for column in range(len(table.header)) if column != skipped]
    values, order, lines = array("f"), array("q"), dict[str, int]()
    for name, node, row in rows_of_nodes(table, nodes, faults):
        with faults:
            first = lines.setdefault(name, row.number)
            if first != row.number:
                raise _repeated(row, name, first)
            if node is not None:
                order.append(node)
            table.check(row)
            values.extend(_numbers(row, columns, table, name, nodes, faults))
    _check_all_there(table, nodes, order, faults)
    _explain_text(table, faults)
    faults.stop(table.path, table.num_rows)
    faults.stop(nodes.path)
    x = torch.empty(len(order), len(columns))
    if x.numel():
        x[torch.from_numpy(np.array(order))] = torch.from_numpy(np.array(values)).view(x.shape)
    return x


def _repeated(row: Row, name: str, first: int) -> RowError:
    rule = f"node {shown(name)} must appear once, it is on {row.table.unit} {first} too"
    return RowError(row.place, "repeated nodes", name, rule)


def _numbers(
    row: Row, columns: list[int], table: Table, name: str, nodes: Nodes, faults: FileFaults
) -> list[float]:
    try:
        numbers = [float(row.cells[column]) for column in columns]
        if sum(map(abs, numbers)) <= LARGEST:  # then each is, and none is NaN
            return numbers
    except ValueError:
        pass
    numbers = []
    for column in columns:
        try:
            numbers.append(check_number(row, column, table.header))
        except RowError as fault:
            fault.node = name
            may_be_name = nodes.named and nodes.find(row.cells[column]) is not None
            if may_be_name and "node" not in table.header:
                fault.hint = "names of nodes stand in a column named node"
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
