"""The file with the split: which nodes are trained on, selected on and tested on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from qgnn_lightning.data._sources._arrays import read_npy
from qgnn_lightning.data._sources._nodes import Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, Place, RowError, shown
from qgnn_lightning.data._sources._table_rows import rows_of_nodes
from qgnn_lightning.data._sources._tables import SUFFIXES, Row, Table, open_table
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import PARTS, GraphDataError

_WORDS = (*PARTS, "")


#: Reads a file with the split, with the nodes, what takes its faults, and the needed parts.
SplitReader = Callable[[Path, Nodes, FileFaults, Collection[str]], Split | None]


@dataclass(frozen=True)
class _Parts:
    """What a file says of each node.

    Args:
        path: The file.
        words: ``train``, ``val``, ``test`` or nothing, by node.
        place: Gives where a node's word stands.
    """

    path: Path
    words: Mapping[int, str]
    place: Callable[[int], Place]


def read_split(path: Path, nodes: Nodes, faults: FileFaults, needed: Collection[str]) -> Split:
    """Read and check the split: each node's part, ``train``, ``val``, ``test``, or nothing.

    Args:
        path: The file; in a table with a column ``node``, nodes without a row are in no part.
        nodes: The nodes.
        faults: Takes what is wrong with single nodes: an unknown part, two parts, or no label.
        needed: The parts that must have a node.

    Raises:
        GraphDataError: If the file cannot be read, a needed part is empty, or any row is wrong.
    """
    if path.suffix in SUFFIXES:
        parts = _of_table(open_table(path), nodes, faults)
    else:
        parts = _of_array(path, nodes, faults)
    if not faults.in_rows_of(path):  # else it is not sure which nodes are in which part
        _check_sizes(parts, faults, needed)
    _check_labels(parts, nodes, faults)
    faults.stop(path)
    num_nodes = nodes.count_or(max(parts.words, default=-1) + 1)
    masks = torch.zeros(len(PARTS), num_nodes, dtype=torch.bool)
    for number, part in enumerate(PARTS):
        masks[number, [node for node, word in parts.words.items() if word == part]] = True
    return Split(*masks)


def ignore_split(path: Path, nodes: Nodes, faults: FileFaults, needed: Collection[str]) -> None:
    """Leave the file alone, as where the split is drawn.

    Args:
        path: Not used.
        nodes: Not used.
        faults: Not used.
        needed: Not used.
    """


def _of_table(table: Table, nodes: Nodes, faults: FileFaults) -> _Parts:
    table.require(["split"], ["node"])
    column = table.header.index("split")
    rows: dict[str, Row] = {}
    found: dict[int, Row] = {}
    for name, node, row in rows_of_nodes(table, nodes, faults):
        with faults:
            table.check(row)
            first = rows.setdefault(name, row)
            if first is not row:
                raise _repeated(name, row, first, column)
            if row.cells[column] not in _WORDS:
                raise _unknown(row.cells[column], name, row.place)
            if node is not None:
                found[node] = row
    words = {node: row.cells[column] for node, row in found.items()}
    return _Parts(table.path, words, lambda node: found[node].place)


def _repeated(name: str, row: Row, first: Row, column: int) -> RowError:
    where = f"on {first.table.unit} {first.number}"
    got, before = shown(row.cells[column]), shown(first.cells[column])
    rule = f"node {shown(name)} must appear once, it is {where} too"
    if got != before:
        rule = f"node {shown(name)} must be in one part, got {got}, and {before} {where}"
    return RowError(row.place, "repeated nodes", name, rule)


def _of_array(path: Path, nodes: Nodes, faults: FileFaults) -> _Parts:
    array = read_npy(path)
    wanted = (nodes.count_or(array.size),)
    if array.shape != wanted or array.dtype.kind != "U":
        raise GraphDataError(
            f"{path} must hold a text per node, shape {wanted}, "
            f"got {array.dtype} of shape {array.shape}"
        )
    words = dict(enumerate(array.tolist()))
    for node, word in words.items():
        if word not in _WORDS:
            faults.add(_unknown(word, nodes.name(node), Place(path, "node", node)))
    return _Parts(path, words, lambda node: Place(path, "node", node))


def _unknown(word: str, name: str, place: Place) -> RowError:
    rule = f"split must be {', '.join(PARTS)} or empty, got {shown(word)}"
    fault = RowError(place, "unknown parts", word, rule)
    fault.node = name
    close = difflib.get_close_matches(word.lower(), PARTS, n=1, cutoff=0.5)
    fault.hint = f"did you mean {close[0]}?" if close else ""
    return fault


def _check_labels(parts: _Parts, nodes: Nodes, faults: FileFaults) -> None:
    for node, word in parts.words.items():
        if word in PARTS and not nodes.has_label(node):
            name = nodes.name(node)
            rule = f"node {shown(name)} is in {word}, but has no label ({nodes.place(node)})"
            faults.add(RowError(parts.place(node), "nodes without a label", name, rule))


def _check_sizes(parts: _Parts, faults: FileFaults, needed: Collection[str]) -> None:
    found = set(parts.words.values())
    empty = [part for part in needed if part not in found]
    if empty:
        faults.add(
            GraphDataError(f"{parts.path} must put at least one node in {' and in '.join(empty)}")
        )
