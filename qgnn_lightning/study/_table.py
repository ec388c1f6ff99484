"""The table of a study, in Markdown and for a terminal; every measure is in the JSON file."""

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
    return f"{found.mean:.4g}"


def _count(found: Summary) -> str:
    return str(found.count)


#: Heading, measures, of which the first that is there counts, and form of each column; a column
#: that no row can fill is left out.
_COLUMNS: tuple[tuple[str, tuple[str, ...], Callable[[Summary], str]], ...] = (
    ("test accuracy", (TEST,), _percent),
    ("validation", (VAL,), _percent),
    ("runs", (TEST,), _count),
    ("epochs", ("epochs",), _number),
    ("size, KiB", ("size_bytes.file", "size_bytes.packed"), _kibibytes),
    ("training, s", ("seconds.fit",), _seconds),
)


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
    """The same without lines, with as many columns as fit into a terminal.

    Args:
        rows: As of :func:`table`.
    """
    num_axes = len(rows[0][0])
    shown = [
        [cell.ljust(width) if number < num_axes else cell.rjust(width) for cell in column]
        for number, column in enumerate(zip(*_cells(rows), strict=True))
        for width in [max(map(len, column))]
    ]
    while len(shown) > num_axes + 1 and sum(len(one[0]) + 2 for one in shown) > _TERMINAL_WIDTH + 2:
        shown.pop()
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*shown, strict=True))


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """Headings, then the cells of each row."""
    axes = list(rows[0][0]) if rows else []
    columns = [one for one in _COLUMNS if any(set(one[1]) & found.keys() for _, found in rows)]
    if not columns:
        columns = [_COLUMNS[0]]
    lines = [[*axes, *(heading for heading, _, _ in columns)]]
    for values, found in rows:
        cells = []
        for _, names, form in columns:
            measured = [found[name] for name in names if name in found]
            cells.append(form(measured[0]) if measured else _NONE)
        lines.append([*values.values(), *cells])
    return lines


def explanation() -> str:
    """What the numbers of the table are."""
    return (
        "Accuracy in percent at the best validation epoch, mean ± unbiased standard deviation "
        "over the runs; the other columns are means. Size is that of the packed file, or of codes, "
        "scales and biases where there is none. The JSON file beside this one has every measure."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
