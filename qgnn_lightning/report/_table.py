"""Tables of HTML; every cell is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

#: Characters of a cell from which it is broken into lines.
_LONG = 20


def numbers_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names its rows, scrolled sideways where it is too wide.

    Args:
        header: Names of the columns.
        rows: Cells, as many per row as there are columns.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{_breakable(first)}</th>'
        + "".join(f"<td{_kind(cell)}>{_breakable(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts_list(facts: Mapping[str, str]) -> str:
    """Names and values.

    Args:
        facts: Value by name.
    """
    items = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    return f"<dl>{''.join(items)}</dl>"


def confusion_table(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """Nodes by true and predicted class, shaded by the share of the true class.

    Args:
        names: Names of the classes.
        confusion: Number of nodes by true class (row) and predicted class (column).
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows: list[str] = []
    for name, counts in zip(names, confusion, strict=True):
        total = sum(counts) or 1
        cells = "".join(
            f'<td style="--share:{round(100 * count / total)}%">{count:,}</td>' for count in counts
        )
        recall = f"{100 * counts[len(rows)] / total:.0f} %" if sum(counts) else ""
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}<td>{recall}</td></tr>')
    return (
        '<p class="unit">Rows: true class. Columns: predicted class. Last column: share found.</p>'
        '<div class="scroll" tabindex="0"><table class="confusion">'
        f'<thead><tr><td></td>{head}<th scope="col">found</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _kind(cell: str) -> str:
    return ' class="long"' if len(cell) >= _LONG else ""


def _breakable(cell: str) -> str:
    """A path may be broken behind each folder."""
    return escape(cell).replace("/", "/<wbr>")
