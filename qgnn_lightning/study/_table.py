"""The table of a study: in Markdown with every column, and short for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qgnn_lightning.study._result import TEST, VAL
from qgnn_lightning.study._summary import Summary

_NONE = "-"
_TERMINAL_WIDTH = 80
Row = tuple[Mapping[str, str], Mapping[str, Summary]]


def _percent(found: Summary) -> str:
    if found.std is None:
        return f"{100 * found.mean:.2f}"
    return f"{100 * found.mean:.2f} ± {100 * found.std:.2f}"


def _kibibytes(found: Summary) -> str:
    return f"{found.mean / 1024:.1f}"


def _seconds(found: Summary) -> str:
    return f"{found.mean:.1f}"


def _number(found: Summary) -> str:
    return f"{found.mean:.3g}"


#: Heading, measure and form of each column; a column that no cell can fill is left out.
_COLUMNS: tuple[tuple[str, str, Callable[[Summary], str]], ...] = (
    ("test accuracy", TEST, _percent),
    ("validation", VAL, _percent),
    ("runs", TEST, lambda found: str(found.count)),
    ("training, s", "seconds.fit", _seconds),
    ("codes, KiB", "size_bytes.packed", _kibibytes),
    ("file, KiB", "size_bytes.file", _kibibytes),
    ("float32, KiB", "size_bytes.float32", _kibibytes),
    ("Dirichlet energy", "dirichlet_energy/symmetric/last", _number),
    ("mean average distance", "mean_average_distance/last", _number),
    ("relative error", "quantization_error/relative/last", _number),
    ("its sharp bound", "quantization_error/relative_sharp/last", _number),
    ("largest energy of the change", "constraint/energy_of_change/largest", _number),
    ("largest violation", "constraint/violation/largest", _number),
    ("largest multiplier", "constraint/multiplier/largest", _number),
)
#: Headings of the columns that a terminal shows, as many as fit.
_SHORT = ("test accuracy", "validation", "runs", "training, s", "file, KiB")


def table(rows: Sequence[Row]) -> str:
    """One row per cell: the values of the axes, then what came out.

    Args:
        rows: Values of the axes and summaries of the measures of each cell.
    """
    header, *lines = _cells(rows)
    num_axes = len(rows[0][0]) if rows else 0
    under = ["---"] * num_axes + ["---:"] * (len(header) - num_axes)
    return "\n".join(map(_line, [header, under, *lines]))


def short_table(rows: Sequence[Row]) -> str:
    """The axes, the accuracy, and what else fits into a terminal.

    Args:
        rows: As of :func:`table`.
    """
    num_axes = len(rows[0][0])
    shown = [
        [cell.ljust(width) if number < num_axes else cell.rjust(width) for cell in column]
        for number, column in enumerate(zip(*_cells(rows), strict=True))
        if number < num_axes or column[0] in _SHORT
        for width in [max(map(len, column))]
    ]
    while len(shown) > num_axes + 1 and sum(len(one[0]) + 2 for one in shown) > _TERMINAL_WIDTH + 2:
        shown.pop()
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*shown, strict=True))


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """Headings, then the cells of each row."""
    axes = list(rows[0][0]) if rows else []
    columns = [one for one in _COLUMNS if any(one[1] in found for _, found in rows)]
    if not columns:
        columns = [_COLUMNS[0]]
    lines = [[*axes, *(heading for heading, _, _ in columns)]]
    for values, found in rows:
        cells = [form(found[name]) if name in found else _NONE for _, name, form in columns]
        lines.append([*values.values(), *cells])
    return lines


def explanation() -> str:
    """What the numbers of the table are."""
    return (
        "Accuracy in percent at the best validation epoch, mean ± unbiased standard deviation "
        "over the runs; the other columns are means. Measures of the propagation are of the "
        "network of the best epoch, after the last step unless they are the largest of all steps."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
