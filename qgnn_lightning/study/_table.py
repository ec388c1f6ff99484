"""The table of a study, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qgnn_lightning.study._result import TEST, VAL
from qgnn_lightning.study._summary import Summary

_NONE = "-"
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


def table(rows: Sequence[Row]) -> str:
    """One row per cell: the values of the axes, then what came out.

    Args:
        rows: Values of the axes and summaries of the measures of each cell.
    """
    axes = list(rows[0][0]) if rows else []
    columns = [one for one in _COLUMNS if any(one[1] in found for _, found in rows)]
    if not columns:
        columns = [_COLUMNS[0]]
    lines = [_line([*axes, *(heading for heading, _, _ in columns)])]
    lines.append(_line(["---"] * len(axes) + ["---:"] * len(columns)))
    for values, found in rows:
        cells = [form(found[name]) if name in found else _NONE for _, name, form in columns]
        lines.append(_line([*values.values(), *cells]))
    return "\n".join(lines)


def explanation() -> str:
    """What the numbers of the table are."""
    return (
        "Accuracy in percent at the best validation epoch, mean ± unbiased standard deviation "
        "over the runs; the other columns are means. Measures of the propagation are of the "
        "network of the best epoch, after the last step unless they are the largest of all steps."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
