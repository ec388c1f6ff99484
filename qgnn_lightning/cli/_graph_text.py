"""The description of a graph as text."""

from __future__ import annotations

from collections.abc import Sequence

from qgnn_lightning.cli._remarks import note, remark_on_classes, remarks_on_columns
from qgnn_lightning.data import GraphStatistics, Split, SplitSizes

_WIDEST_BAR = 40
_MOST_CLASSES = 30


def describe_graph(found: GraphStatistics, split: Split | None, names: Sequence[str]) -> str:
    """What a graph looks like, one fact per line.

    Args:
        found: What was counted.
        split: The split, or ``None`` where there is none.
        names: Names of the classes.
    """
    facts = {
        "nodes": f"{found.num_nodes:,}",
        "edges": f"{found.num_edges:,} {'directed' if found.directed else 'undirected'}"
        f"{', weighted' if found.weighted else ''}",
        "features": f"{found.num_features:,}, {100 * found.feature_density:.1f} % not zero",
        "classes": _classes(found),
        "degree": f"{found.least_degree:,} to {found.most_degree:,}, "
        f"mean {found.mean_degree:.1f}, median {found.median_degree:g}",
        "isolated": f"{found.num_isolated:,} nodes without an edge",
        "components": f"{found.num_components:,}, the largest of {found.largest_component:,} nodes",
        "homophily": _homophily(found),
        "split": _options_for_split(found) if split is None else _split(found.num_nodes, split),
    }
    lines = [f"{name:<15}{fact}" for name, fact in facts.items()]
    classes = list(zip(names, found.class_sizes, strict=True))
    degrees = [(one.name, one.nodes) for one in found.degrees]
    tables = ["", *_bars("class", classes), "", *_bars("degree", degrees)]
    return "\n".join([*lines, *_remarks(found, names), *tables])


def _remarks(found: GraphStatistics, names: Sequence[str]) -> list[str]:
    """What is allowed, but seldom meant."""
    remarks = []
    if not found.num_edges:
        remarks.append("there are no edges: nothing is learned from neighbours")
    if found.directed:
        remarks.append(
            "the graph is directed, nodes receive along its edges one way only: if it is meant to "
            "be undirected, list both directions of every edge"
        )
    small = [name for name, size in zip(names, found.class_sizes, strict=True) if 0 < size <= 2]
    if small:
        shown = ", ".join(map(printable, small[:5])) + (", ..." if len(small) > 5 else "")
        remarks.append(f"classes of one or two nodes, a slip in a label? {shown}")
    empty = remark_on_classes(found.class_sizes)
    if empty is not None:
        remarks.append(empty)
    if found.column_sizes is not None:
        remarks += remarks_on_columns(found.column_sizes, few_bits=True)
    return list(map(note, remarks))


def _classes(found: GraphStatistics) -> str:
    number = f"{len(found.class_sizes):,}"
    if not found.num_unlabelled:
        return number
    return f"{number}, and {found.num_unlabelled:,} nodes of unknown class"


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


def _split(num_nodes: int, split: Split) -> str:
    masks = (split.train_mask, split.val_mask, split.test_mask)
    train, val, test = (int(mask.sum()) for mask in masks)
    rest = num_nodes - train - val - test
    return f"{train:,} train, {val:,} val, {test:,} test, {rest:,} in none"


def _bars(title: str, counts: list[tuple[str, int]]) -> list[str]:
    shown = counts[:_MOST_CLASSES]
    largest = max(count for _, count in shown) or 1
    total = sum(count for _, count in counts)
    lines = [f"{title:<15}{'nodes':>10}{'share':>9}"]
    for name, count in shown:
        bar = "#" * round(_WIDEST_BAR * count / largest)
        lines.append(
            f"{printable(name[:14]):<15}{count:>10,}{100 * count / total:>7.1f} % {bar}".rstrip()
        )
    if len(shown) < len(counts):
        lines.append(f"... and {len(counts) - len(shown)} more")
    return lines


def printable(text: str) -> str:
    """A name from a file without control characters, which could steer a terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)
