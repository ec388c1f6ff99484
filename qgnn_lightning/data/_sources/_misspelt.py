"""Names that no node has are traced to the file in which they are misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from qgnn_lightning.data._sources._feature_table import NO_FEATURES
from qgnn_lightning.data._sources._nodes import ListedNodes, Nodes
from qgnn_lightning.data._sources._row_faults import FileFaults, RowError, SameFault, shown
from qgnn_lightning.data._sources._table_rows import UNKNOWN_NAMES
from qgnn_lightning.data._validation import GraphDataError

#: Pairs of names that are compared, at most: some ten microseconds each.
_MOST_PAIRS = 100_000


def trace_unknown_names(nodes: Nodes, faults: FileFaults) -> None:
    """Say where each unknown name comes from, as far as that can be told.

    A node that no other file names, next to a name that the other files have instead, is
    misspelt where it is listed: this is one fault, and what follows from it none. Other names get
    the nearest one that there is.

    Args:
        nodes: The nodes.
        faults: All faults of the files.
    """
    unknown: dict[str, list[SameFault]] = {}
    for one in faults.of_kind(UNKNOWN_NAMES):
        unknown.setdefault(one.first.subject, []).append(one)
    if not unknown or not isinstance(nodes, ListedNodes):
        return
    if not nodes.named:
        _trace_to_no_names(unknown, nodes, faults)
        return
    _trace_to_the_list(unknown, nodes, faults)
    few = len(unknown) * len(nodes) <= _MOST_PAIRS
    for name, places in unknown.items():
        close = _same_number(name, nodes) or (_nearest(name, nodes.names) if few else None)
        if close is not None:
            _give_hint(places, f"did you mean {shown(close)}?")


def _give_hint(places: list[SameFault], hint: str) -> None:
    for one in places:
        one.first.hint = hint


def _trace_to_no_names(
    unknown: dict[str, list[SameFault]], nodes: ListedNodes, faults: FileFaults
) -> None:
    """Other files have names where the list has none: one fault, of which all others follow."""
    called = f"calls its nodes 0 to {len(nodes) - 1}"
    names = [name for name in unknown if not _is_number(name)]
    if names:
        place = unknown[names[0]][0].first.place
        faults.add(
            GraphDataError(
                f"{nodes.path} {called}, but {place} has {shown(names[0])}: names of nodes stand "
                "in a column node of labels.csv or labels.parquet"
            )
        )
        faults.drop(one for name in names for one in unknown.pop(name))
        faults.drop(faults.of_kind(NO_FEATURES))
    for name, places in unknown.items():
        same = _same_number(name, nodes)
        _give_hint(
            places, f"did you mean {shown(same)}?" if same else f"{nodes.path.name} {called}"
        )


def _trace_to_the_list(
    unknown: dict[str, list[SameFault]], nodes: ListedNodes, faults: FileFaults
) -> None:
    """Take the names out of ``unknown`` that are right, but listed with another spelling."""
    without = {one.first.subject: one for one in faults.of_kind(NO_FEATURES)}
    lonely = set(nodes.never_found())
    among = [name for name in without if name in lonely] or nodes.names
    if not lonely or len(unknown) * len(among) > _MOST_PAIRS:
        return
    for name, places in list(unknown.items()):
        listed = _nearest(name, among)
        if listed in lonely:
            lonely.remove(listed)
            faults.drop([*places, *([without[listed]] if listed in without else [])])
            faults.add(_misspelt(listed, name, places, nodes))
            del unknown[name]


def _misspelt(listed: str, name: str, places: list[SameFault], nodes: ListedNodes) -> RowError:
    node = nodes.listed(listed)
    assert node is not None
    rule = f"node {shown(listed)} is in no other file"
    fault = RowError(nodes.place(node), "names that no other file has", listed, rule)
    more = sum(one.count for one in places) - 1
    also = f" and in {more:,} more places" if more else ""
    fault.hint = f"did you mean {shown(name)}, as in {places[0].first.place}{also}?"
    return fault


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _same_number(name: str, nodes: ListedNodes) -> str | None:
    """The node of the same whole number, such as 5 for ``5.0``, ``+5`` and ``05``."""
    if not _is_number(name) or not float(name).is_integer():
        return None
    whole = str(int(float(name)))
    return None if nodes.listed(whole) is None else whole


def _nearest(name: str, among: Collection[str]) -> str | None:
    alike = [one for one in among if one.casefold() == name.casefold()]
    close = alike or difflib.get_close_matches(name, among, n=1)
    return close[0] if close else None
