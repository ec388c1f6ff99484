"""The description of a graph as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qgnn_lightning.cli._missing_words import remark_on_missing
from qgnn_lightning.cli._remarks import note, remark_on_classes, remarks_on_columns
from qgnn_lightning.cli._terminal import listed, printable, shortened
from qgnn_lightning.data import GraphStatistics, SplitSizes

_WIDEST_BAR = 32
_MOST_CLASSES = 30
#: Characters of the names of a table: those it has room for at least, and at most.
_LEAST_NAME, _MOST_NAME = 14, 30

#: Nodes of each class, by part of the split.
_Parts = Mapping[str, Sequence[int]]


def describe_graph(found: GraphStatistics, parts: _Parts | None, names: Sequence[str]) -> str:
    """What a graph looks like, one fact per line.

    Args:
        found: What was counted.
        parts: Nodes of each class in ``train``, ``val`` and ``test``, or ``None`` where there is no
            split.
        names: Names of the classes.
    """
    facts = {
        "nodes": f"{found.num_nodes:,}",
        "edges": f"{found.num_edges:,} {'directed' if found.directed else 'undirected'}"
        f"{', weighted' if found.weighted else ''}",
        "features": f"{found.num_features:,}, {100 * (1 - found.feature_density):.1f} % zeros",
        "classes": _classes(found),
        "degree": _degree(found),
        "isolated": f"{_nodes(found.num_isolated)} without an edge",
        "components": _components(found),
        "homophily": _homophily(found),
        "split": _options_for_split(found) if parts is None else _split(found.num_nodes, parts),
    }
    lines = [f"{name:<15}{fact}" for name, fact in facts.items()]
    classes = list(zip(names, found.class_sizes, strict=True))
    degrees = [(one.name, one.nodes) for one in found.degrees]
    tables = ["", *_bars("class", classes, parts or {})] if classes else []
    tables += ["", *_bars("degree", degrees, {})]
    return "\n".join([*lines, *_remarks(found, parts, names), *tables])


def _remarks(found: GraphStatistics, parts: _Parts | None, names: Sequence[str]) -> list[str]:
    """What is allowed, but seldom meant."""
    remarks = []
    if not names:
        remarks.append("no label is known: enough for qgnn predict, not to train or to test")
    if parts is not None:
        remarks += _remarks_on_split(found, parts, names)
    if not found.num_edges:
        remarks.append("there are no edges: nothing is learned from neighbours")
    if found.directed:
        remarks.append(
            "the graph is directed, nodes receive along its edges one way only: if it is meant to "
            "be undirected, list both directions of every edge"
        )
    small = [name for name, size in zip(names, found.class_sizes, strict=True) if 0 < size <= 2]
    if small:
        remarks.append(f"classes of one or two nodes, a slip in a label? {_listed(small)}")
    missing = remark_on_missing(names)
    if missing is not None:
        remarks.append(missing)
    empty = remark_on_classes(found.class_sizes)
    if empty is not None:
        remarks.append(empty)
    if found.column_sizes is not None:
        remarks += remarks_on_columns(found.column_sizes, few_bits=True)
    return list(map(note, remarks))


def _remarks_on_split(found: GraphStatistics, parts: _Parts, names: Sequence[str]) -> list[str]:
    empty = [part for part in ("train", "val") if not sum(parts[part])]
    if empty:
        lacks = " and no ".join(empty)
        return [f"the split has no {lacks} node: enough for qgnn test, not to train"]
    sizes = zip(names, found.class_sizes, parts["train"], strict=True)
    lost = [name for name, size, trained in sizes if size and not trained]
    return [f"classes without a training node are never learned: {_listed(lost)}"] if lost else []


def _listed(names: Sequence[str]) -> str:
    return listed(names[:5]) + (", ..." if len(names) > 5 else "")


def _classes(found: GraphStatistics) -> str:
    number = f"{len(found.class_sizes):,}" if found.class_sizes else "none"
    if not found.num_unlabelled:
        return number
    return f"{number}, and {_nodes(found.num_unlabelled)} of unknown class"


def _nodes(number: int) -> str:
    return f"{number:,} node{'' if number == 1 else 's'}"


def _components(found: GraphStatistics) -> str:
    if found.largest_component == 1:
        return f"{found.num_components:,}, each a single node"
    return f"{found.num_components:,}, the largest of {found.largest_component:,} nodes"


def _degree(found: GraphStatistics) -> str:
    if found.least_degree == found.most_degree:
        return f"{found.least_degree:,} at every node"
    return (
        f"{found.least_degree:,} to {found.most_degree:,}, mean {found.mean_degree:.1f}, "
        f"median {found.median_degree:g}"
    )


def _homophily(found: GraphStatistics) -> str:
    if found.homophily is None or found.homophily_by_chance is None:
        return "none, there are no edges between nodes of known class"
    return (
        f"{100 * found.homophily:.1f} % of the edges join nodes of one class "
        f"({100 * found.homophily_by_chance:.1f} % by chance)"
    )


def _options_for_split(found: GraphStatistics) -> str:
    """Options with which the graph can be trained on."""
    sizes = SplitSizes.fitting(found.class_sizes)
    if sizes is None:
        return "none, and too few nodes with a label to draw one"
    return f"none: train with --data.split random {sizes.options}"


def _split(num_nodes: int, parts: _Parts) -> str:
    sizes = {part: sum(counts) for part, counts in parts.items()}
    told = ", ".join(f"{size:,} {part}" for part, size in sizes.items())
    return f"{told}, {num_nodes - sum(sizes.values()):,} in none"


def _bars(title: str, counts: list[tuple[str, int]], parts: _Parts) -> list[str]:
    some = counts[:_MOST_CLASSES]
    shown = [(shortened(printable(name), _MOST_NAME), count) for name, count in some]
    width = max([_LEAST_NAME, *(len(name) for name, _ in shown)]) + 1
    largest = max(count for _, count in shown) or 1
    total = sum(count for _, count in counts)
    lines = [f"{title:<{width}}{'nodes':>10}{'share':>9}" + "".join(f"{part:>9}" for part in parts)]
    for number, (name, count) in enumerate(shown):
        of_parts = "".join(f"{sizes[number]:>9,}" for sizes in parts.values())
        bar = "#" * round(_WIDEST_BAR * count / largest)
        lines.append(
            f"{name:<{width}}{count:>10,}{100 * count / total:>7.1f} %{of_parts} {bar}".rstrip()
        )
    if len(shown) < len(counts):
        lines.append(f"... and {len(counts) - len(shown)} more")
    return lines
