"""The file with the labels: it lists the nodes."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import GraphNames
from qgnn_lightning.data._sources._arrays import read_integers, read_npy
from qgnn_lightning.data._sources._nodes import ListedNodes, Nodes, UnlistedNodes
from qgnn_lightning.data._sources._row_faults import FileFaults, RowError, shown
from qgnn_lightning.data._sources._tables import SUFFIXES, Row, Table, open_table
from qgnn_lightning.data._validation import GraphDataError, check_labels

_UNKNOWN = ("", "-1")


@dataclass(frozen=True, eq=False)
class Labels:
    """The nodes and their classes.

    Args:
        nodes: The nodes, or what stands in for them where the file cannot be read.
        y: Class of each node, int64; -1 where it is unknown. Empty where the file has faults.
        names: Names of nodes and classes, where the file has any.

    Shapes:
        y: ``(num_nodes,)``.
    """

    nodes: Nodes
    y: Tensor
    names: GraphNames = field(default_factory=GraphNames)

    @classmethod
    def unlisted(cls, path: Path) -> Labels:
        """What stands in for labels that cannot be read."""
        return cls(UnlistedNodes(path), torch.empty(0, dtype=torch.int64))


def read_labels(path: Path, faults: FileFaults) -> Labels:
    """Read and check the labels.

    Args:
        path: The file.
        faults: Takes what is wrong.
    """
    labels = Labels.unlisted(path)
    with faults:
        if path.suffix in SUFFIXES:
            return _of_table(open_table(path), labels, faults)
        array = read_npy(path)
        if not array.size:
            raise _no_nodes(path)
        if array.ndim == 1 and array.dtype.kind == "U":
            return _of_texts(_numbered(path, array.tolist()), array.tolist(), labels, faults)
        y = read_integers(path, "(num_nodes,)", 1)
        return _of_integers(_numbered(path, y.tolist()), y, labels, faults)
    return labels


def _of_table(table: Table, labels: Labels, faults: FileFaults) -> Labels:
    """Read ``label`` and, where the nodes have names, ``node``."""
    table.require(["label"], ["node"])
    label, node = table.column("label"), table.column("node")
    assert label is not None
    nodes = ListedNodes(table.path, table.unit, named=node is not None)
    texts: list[str] = []
    for row in table:
        with faults:
            name = _name(row, node, table, nodes)
            # A label that is not there is a fault already: none of the split as well.
            text = row.cells[label] if label < len(row.cells) else "not there"
            nodes.add(name, row.number, labelled=text not in _UNKNOWN)
            texts.append(text)
            table.check(row)
    if not table.num_rows:
        raise _no_nodes(table.path)
    with faults:
        faults.stop(table.path, table.num_rows)
        return _of_texts(nodes, texts, labels, faults)
    return replace(labels, nodes=nodes)


def _no_nodes(path: Path) -> GraphDataError:
    return GraphDataError(f"{path} must list the nodes, with a row for each, it has none")


def _name(row: Row, column: int | None, table: Table, nodes: ListedNodes) -> str:
    """The name of a new node: what the table calls it, or its number."""
    if column is None:
        return str(len(nodes))
    if column >= len(row.cells):
        table.check(row)
    name = row.cells[column]
    known = nodes.listed(name)
    if known is not None:
        other = nodes.place(known)
        rule = f"node {shown(name)} must appear once, it is on {other.unit} {other.number} too"
        raise RowError(row.place, "repeated nodes", name, rule)
    return name


def _numbered(path: Path, labels: list[str] | list[int]) -> ListedNodes:
    """The nodes of an array, which have numbers for names."""
    nodes = ListedNodes(path, "node", named=False)
    for node, label in enumerate(labels):
        nodes.add(str(node), node, labelled=str(label) not in _UNKNOWN)
    return nodes


def _of_texts(nodes: ListedNodes, texts: list[str], labels: Labels, faults: FileFaults) -> Labels:
    with faults:
        y, classes = _number_classes(nodes, texts, faults)
        names = GraphNames(tuple(nodes.names) if nodes.named else None, classes)
        return Labels(nodes, y, names)
    return replace(labels, nodes=nodes)


def _of_integers(nodes: ListedNodes, y: Tensor, labels: Labels, faults: FileFaults) -> Labels:
    with faults:
        check_labels(y, len(y), name=str(nodes.path))
        return Labels(nodes, y)
    return replace(labels, nodes=nodes)


def _number_classes(
    nodes: ListedNodes, texts: list[str], faults: FileFaults
) -> tuple[Tensor, tuple[str, ...] | None]:
    """Whole numbers stay as they are; other labels are names, numbered in alphabetical order.

    An empty label and -1 are unknown ones, -1.

    Raises:
        GraphDataError: If no label is known, or a whole number is too large for a class.
    """
    texts = [unicodedata.normalize("NFC", text) for text in texts]  # one form for each accent
    known = {text for text in texts if text not in _UNKNOWN}
    names = None
    if all(text.isascii() and text.isdecimal() for text in known):
        _check_class_numbers(nodes, texts, known, faults)
        number = {text: int(text) for text in known}
    else:
        names = tuple(sorted(known))
        number = {name: index for index, name in enumerate(names)}
    number |= dict.fromkeys(_UNKNOWN, -1)
    return torch.tensor([number[text] for text in texts], dtype=torch.int64), names


def _check_class_numbers(
    nodes: ListedNodes, texts: list[str], known: set[str], faults: FileFaults
) -> None:
    wrong = {text for text in known if not _is_class(text, len(texts))}
    for node, text in enumerate(texts if wrong else ()):
        if text in wrong:
            rule = (
                "labels that are all whole numbers are the numbers of the classes, from 0 and "
                f"below the number of nodes, {len(texts)}; got {text[:40]}"
            )
            fault = RowError(nodes.place(node), "labels that are no class", text, rule)
            fault.node = nodes.name(node)
            fault.hint = "where they are names, put a letter before them"
            faults.add(fault)
    faults.stop(nodes.path)


def _is_class(text: str, num_nodes: int) -> bool:
    # The length first: Python reads no whole numbers of thousands of digits.
    return len(text.lstrip("0")) <= len(str(num_nodes)) and int(text) < num_nodes
