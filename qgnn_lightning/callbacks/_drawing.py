"""The two pictures of a trained propagation; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from qgnn_lightning.callbacks._oversmoothing import Smoothness
from qgnn_lightning.nn import ErrorBound
from qgnn_lightning.storage import atomic_path

# Okabe and Ito's colours, which do not rest on telling red from green.
_BLUE, _ORANGE, _GREEN, _PURPLE, _BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#222222"
_MOST_MARKERS = 32


def draw_smoothness(found: Smoothness, caption: str) -> Figure:
    """Energy and distance of neighbours by propagation step.

    Args:
        found: What was measured.
        caption: Which run it is.
    """
    figure, (left, right) = _canvas(2, "Smoothness of the representation", caption)
    _line(left, found.symmetric, 0, _BLUE, r"$\mathrm{tr}(H^\top L H)$")
    _line(left, found.mean_square, 0, _ORANGE, r"per node, without degrees")
    _log_scale(left, [found.symmetric, found.mean_square])
    left.set_ylabel("Dirichlet energy [squared units of H]")
    left.legend(frameon=False)
    _line(right, found.mean_average_distance, 0, _GREEN, "")
    right.set_ylim(bottom=0)
    right.set_ylabel("mean average distance [1 - cosine]")
    return figure


def draw_error(bound: ErrorBound, caption: str) -> Figure:
    """Measured error and its bounds by propagation step.

    Args:
        bound: What was measured.
        caption: Which run it is.
    """
    figure, (axes,) = _canvas(1, "Error of the quantized messages and bounds on it", caption)
    _line(axes, bound.a_priori, 1, _PURPLE, "a priori bound")
    _line(axes, bound.a_posteriori, 1, _ORANGE, "a posteriori bound")
    _line(axes, bound.sharp, 1, _BLUE, "sharp bound")
    _line(axes, bound.measured, 1, _BLACK, "measured error")
    steps = range(1, len(bound.sharp) + 1)
    axes.fill_between(
        steps, _positive(bound.measured), _positive(bound.sharp), color=_BLUE, alpha=0.12, lw=0
    )
    _log_scale(axes, [bound.measured, bound.sharp, bound.a_posteriori, bound.a_priori])
    axes.set_ylabel(r"$\Vert\hat{H}_k - H_k\Vert_F$ [units of H]")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def save(figure: Figure, path: Path) -> np.ndarray[Any, Any]:
    """Save as PNG, as a whole or not at all.

    Args:
        figure: The picture.
        path: The file; its folder is made where it is missing.

    Returns:
        The pixels.

    Shapes:
        returns: ``(height, width, 3)`` in [0, 1].
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as file:
        figure.savefig(file, format="png")
    return imread(path)[..., :3]


def _canvas(panels: int, title: str, caption: str) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(8.4, 4.2), dpi=150, layout=ConstrainedLayoutEngine(wspace=0.06))
    figure.suptitle(f"{title}\n", fontsize=13, x=0.01, ha="left")
    figure.text(0.01, 0.925, caption, fontsize=9, color="#666666", va="top")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for one in axes:
        one.set_xlabel("propagation step k")
        one.xaxis.set_major_locator(MaxNLocator(integer=True))
        one.grid(color="#dddddd", linewidth=0.6)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _line(axes: Any, values: Tensor, first: int, color: str, label: str) -> None:
    steps = range(first, first + len(values))
    marker = "o" if len(values) <= _MOST_MARKERS else ""
    axes.plot(steps, values.cpu().numpy(), color=color, label=label, lw=1.6, marker=marker, ms=3.5)


def _log_scale(axes: Any, lines: Sequence[Tensor]) -> None:
    """Logarithmic where anything is positive; rounding may leave energies below 0."""
    if any(bool((line > 0).any()) for line in lines):
        axes.set_yscale("log", nonpositive="mask")


def _positive(values: Tensor) -> np.ndarray[Any, Any]:
    numbers = values.cpu().numpy()
    return np.where(numbers > 0, numbers, np.nan)
