"""The edges from a table."""

from __future__ import annotations

from array import array

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._sources._nodes import Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, Place, RowError, shown
from qgnn_lightning.data._sources._table_rows import check_number, find_node
from qgnn_lightning.data._sources._tables import Row, Table
from qgnn_lightning.data._sources._undirected import contradictions


def read_edges(table: Table, nodes: Nodes, faults: FileFaults) -> tuple[Tensor, Tensor | None]:
    """Read ``source``, ``target`` and, where it is there, ``weight``.

    Args:
        table: The table.
        nodes: The nodes.
        faults: Takes what is wrong with single rows: an end that is no node, a weight that is no
            positive number, or not the one that the edge has in another row.

    Returns:
        Edges ``(2, num_rows)``, int64, and weights ``(num_rows,)``, float32.

    Raises:
        GraphDataError: If a column is missing or unknown, or any row is wrong.
    """
    table.require(["source", "target"], ["weight"])
    first, second = (table.header.index(name) for name in ("source", "target"))
    weight = table.column("weight")
    ends, weights, numbers = array("q"), array("f"), array("q")
    for row in table:
        with faults:
            table.check(row)
            source, target = nodes.find(row.cells[first]), nodes.find(row.cells[second])
            if source is None or target is None:
                for column in (first, second):
                    with faults:
                        find_node(row, column, table, nodes)
            else:
                ends.append(source)
                ends.append(target)
            if weight is not None:
                numbers.append(row.number)
                weights.append(_positive(row, weight, table.header))
    faults.stop(table.path, table.num_rows)
    edges = torch.from_numpy(np.array(ends)).view(-1, 2).T.contiguous()
    if weight is None:
        return edges, None
    edge_weight = torch.from_numpy(np.array(weights))
    for row_and_first in contradictions(edges, edge_weight).tolist():
        faults.add(_contradiction(table, nodes, numbers, edges, edge_weight, *row_and_first))
    faults.stop(table.path)
    return edges, edge_weight


def _positive(row: Row, column: int, header: tuple[str, ...]) -> float:
    value = check_number(row, column, header)
    if value <= 0:
        name = header[column]
        rule = f"column {name!r} must hold positive numbers, got {shown(row.cells[column])}"
        raise RowError(row.place, "columns without positive numbers", name, rule)
    return value


def _contradiction(
    table: Table,
    nodes: Nodes,
    numbers: array[int],
    edges: Tensor,
    edge_weight: Tensor,
    row: int,
    first: int,
) -> RowError:
    """The fault of an edge that has another weight in an earlier row."""
    one, other = sorted(map(nodes.name, edges[:, row].tolist()))
    rule = (
        f"the edge between {shown(one)} and {shown(other)} must have one weight, got "
        f"{float(edge_weight[row]):g}, and {float(edge_weight[first]):g} on {table.unit} "
        f"{numbers[first]}"
    )
    place = Place(table.path, table.unit, numbers[row])
    return RowError(place, "edges of several weights", f"{one} {other}", rule)
