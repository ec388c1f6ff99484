"""The description of a graph as a picture; needs matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgnn_lightning.cli._terminal import printable, shortened
from qgnn_lightning.data import GraphStatistics
from qgnn_lightning.storage import atomic_path

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
_MOST_CLASSES = 30
#: Characters of the name of a class.
_LONGEST = 24
_BLUE, _ORANGE = "#0072B2", "#D55E00"


def draw_graph(found: GraphStatistics, names: Sequence[str], title: str, path: Path) -> None:
    """Draw the degrees and the sizes of the classes.

    Args:
        found: What was counted.
        names: Names of the classes.
        title: Which graph it is.
        path: The file; its suffix is one of :data:`PICTURE_SUFFIXES`.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    shown = min(len(found.class_sizes), _MOST_CLASSES)
    figure = Figure(figsize=(9, max(3.6, 1.2 + 0.22 * shown)), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    degrees = found.degrees
    bars = left.bar([one.name for one in degrees], [one.nodes for one in degrees], color=_BLUE)
    left.bar_label(bars, fontsize=7, fmt="{:,.0f}")
    left.tick_params("x", rotation=45)
    _name(left, "Neighbours of a node", "degree", "nodes")
    bars = right.barh(range(shown), found.class_sizes[:shown], color=_ORANGE)
    right.set_yticks(range(shown), [_plain(shortened(name, _LONGEST)) for name in names[:shown]])
    right.bar_label(bars, fontsize=7, fmt="{:,.0f}", padding=2)
    right.margins(x=0.14)
    right.invert_yaxis()
    _name(right, _classes(found, shown), "nodes", "class")
    edges = f"{found.num_edges:,} {'directed ' if found.directed else ''}edges"
    figure.suptitle(f"{_plain(title)}: {found.num_nodes:,} nodes, {edges}")
    with atomic_path(path) as file, warnings.catch_warnings():
        # Names in a script that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, format=path.suffix[1:])


def _plain(text: str) -> str:
    """Without what matplotlib would take for a formula."""
    return printable(text).replace("$", r"\$")


def _classes(found: GraphStatistics, shown: int) -> str:
    total = len(found.class_sizes)
    return "Classes" if shown == total else f"The first {shown} of {total} classes"


def _name(axes: Any, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
