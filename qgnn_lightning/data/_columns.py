"""Features in the order that a network was trained on, by the names of their columns."""

from __future__ import annotations

import difflib
from dataclasses import replace

import torch

from qgnn_lightning.data._features import select_columns
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._validation import GraphOptionError


def in_order(raw: RawGraph, columns: tuple[str, ...] | None, title: str) -> RawGraph:
    """The graph with its features in the order of a network.

    Where one side has no names, the features are taken in the order that they have.

    Args:
        raw: The graph.
        columns: The columns that the network was trained on, or ``None``.
        title: What the graph is called in the message, where no file names its columns.

    Raises:
        GraphOptionError: If the graph has other columns.
    """
    found = raw.names.columns
    names = replace(raw.names, columns=columns)
    if columns is None or found is None or found == columns:
        return replace(raw, names=names)
    position = {name: number for number, name in enumerate(found)}
    if position.keys() != set(columns):
        place = raw.names.columns_file or title
        raise GraphOptionError(f"{place} {_difference(found, columns)}")
    order = torch.tensor([position[name] for name in columns])
    return replace(raw, x=select_columns(raw.x, order), names=names)


def _difference(found: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """The first column that is missing, and the first that is not known."""
    there, known = set(found), set(columns)
    missing = [name for name in columns if name not in there]
    unknown = [name for name in found if name not in known]
    faults = [f"{missing[0]!r} is missing"] if missing else []
    faults += [f"{unknown[0]!r} is not known"] if unknown else []
    close = difflib.get_close_matches(unknown[0], missing, n=1) if unknown else []
    hint = f"; did you mean {close[0]!r} by {unknown[0]!r}?" if close else ""
    rule = "must have the columns that the network was trained on"
    return f"{rule}: {', '.join(faults)}{hint}"
