"""Charts as figures of HTML with inline SVG: readable without colours, by screen readers too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from qgnn_lightning.report._axis import Axis, LinearAxis, LogAxis, short
from qgnn_lightning.report._plane import HEIGHT, WIDTH, Plane
from qgnn_lightning.report._table import numbers_table

#: Most points of a line that are drawn, and that carry a marker each; markers of longer lines.
_MOST_POINTS, _MOST_MARKERS, _FEW_MARKERS = 400, 32, 10
NUM_STYLES = 8
#: Half the width of a point of its own, and what those below it have more of, each and in all.
_POINT, _RING, _MOST_ROOM = 5.0, 3.0, 12.0
_LOGARITHMIC = " (logarithmic)"


@dataclass(frozen=True)
class Line:
    """Points that belong together.

    Args:
        name: What they are.
        x: Where they stand.
        y: The numbers; ``None`` where one is missing.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]


@dataclass(frozen=True)
class Frame:
    """What a chart says beside its numbers.

    Args:
        title: What is shown.
        x_label: What the horizontal axis counts.
        y_label: What the vertical axis measures.
        note: A sentence below the title.
    """

    title: str
    x_label: str
    y_label: str
    note: str = ""


def line_chart(
    frame: Frame, lines: Sequence[Line], *, log: bool = False, band: tuple[int, int] | None = None
) -> str:
    """A chart of lines.

    Args:
        frame: What it says.
        lines: What it shows; those without a number are left out.
        log: Whether the vertical axis is logarithmic, where any number is positive.
        band: Indices of two lines between which the area is filled.
    """
    lines = [_thinned(line) for line in lines]
    numbers = [y for line in lines for y in line.y if y is not None]
    y_axis: Axis = (
        LogAxis.around(numbers)
        if log and any(y > 0 for y in numbers)
        else (LinearAxis.around(numbers))
    )
    if isinstance(y_axis, LogAxis):
        frame = replace(frame, y_label=frame.y_label + _LOGARITHMIC)
    plane = Plane(LinearAxis.starting([x for line in lines for x in line.x]), y_axis)
    parts = [plane.axes(frame.x_label)]
    if band is not None:
        parts.append(_band(lines[band[0]], lines[band[1]], plane))
    parts += [_path(line, style, plane) for style, line in enumerate(lines)]
    return _figure(
        frame, "".join(parts), _summary(lines), _legend(lines), _line_numbers(frame, lines)
    )


def scatter_chart(frame: Frame, points: Sequence[tuple[str, float, float]]) -> str:
    """A chart of named points with a logarithmic horizontal axis.

    Of points at the same place, the earlier ones are larger and behind the later ones.

    Args:
        frame: What it says.
        points: Name, horizontal and vertical position of each.
    """
    x_axis = LogAxis.around([x for _, x, _ in points])
    plane = Plane(x_axis, LinearAxis.around([y for _, _, y in points]))
    places = [(plane.across(x), plane.down(y) or 0) for _, x, y in points]
    marks = (
        _marker(*place, style, size)
        for style, (place, size) in enumerate(zip(places, _nested(places), strict=True))
    )
    summary = "; ".join(f"{name}: {short(x)} {frame.x_label}, {short(y)}" for name, x, y in points)
    legend = _legend([Line(name, [x], [y]) for name, x, y in points])
    rows = [[name, f"{x:,.0f}", f"{y:.1f}"] for name, x, y in points]
    table = numbers_table(["run", frame.x_label, frame.y_label], rows)
    drawing = f'{plane.axes(frame.x_label + _LOGARITHMIC)}<g class="apart">{"".join(marks)}</g>'
    return _figure(frame, drawing, summary, legend, table)


def bar_chart(frame: Frame, bars: Sequence[tuple[str, float, str]]) -> str:
    """A chart of bars from 0 to 100.

    Args:
        frame: What it says.
        bars: Name, height and label of each.
    """
    plane = Plane(None, LinearAxis(0, 100))
    slot = plane.width / max(len(bars), 1)
    parts = [plane.axes(frame.x_label)]
    for index, (name, value, label) in enumerate(bars):
        left, top = plane.left + slot * index, plane.down(value) or 0
        middle = left + slot / 2
        parts.append(
            f'<rect class="bar" x="{left + slot * 0.12:.1f}" y="{top:.1f}" '
            f'width="{slot * 0.76:.1f}" height="{plane.bottom - top:.1f}"/>'
            f'<text class="small" x="{middle:.1f}" y="{top - 4:.1f}">{escape(label)}</text>'
            f'<text class="small" x="{middle:.1f}" y="{plane.bottom + 14}">{escape(name)}</text>'
        )
    summary = "; ".join(f"{name}: {value:.0f} % of {label}" for name, value, label in bars)
    rows = [[name, f"{value:.1f}", label] for name, value, label in bars]
    table = numbers_table([frame.x_label, frame.y_label, "nodes"], rows)
    return _figure(frame, "".join(parts), summary, "", table)


def _nested(places: Sequence[tuple[float, float]]) -> list[float]:
    """Sizes of points, such that those at the same place surround each other."""
    above = [
        sum(max(abs(left - x), abs(top - y)) < _POINT for x, y in places[number + 1 :])
        for number, (left, top) in enumerate(places)
    ]
    step = min(_RING, _MOST_ROOM / max(*above, 1))
    return [_POINT + step * number for number in above]


def _thinned(line: Line) -> Line:
    stride = -(-len(line.x) // _MOST_POINTS)
    if stride <= 1:
        return line
    kept = sorted({*range(0, len(line.x), stride), len(line.x) - 1})
    return Line(line.name, [line.x[i] for i in kept], [line.y[i] for i in kept])


def _places(line: Line, plane: Plane) -> list[tuple[float, float] | None]:
    places = ((plane.across(x), y) for x, y in zip(line.x, line.y, strict=True))
    tops = ((left, None if y is None else plane.down(y)) for left, y in places)
    return [None if top is None else (left, top) for left, top in tops]


def _path(line: Line, style: int, plane: Plane) -> str:
    """A line with gaps where numbers are missing; markers on all points, or on some of many."""
    drawing: list[str] = []
    gap = True
    places = _places(line, plane)
    for place in places:
        if place is not None:
            drawing.append(f"{'M' if gap else 'L'}{place[0]:.1f} {place[1]:.1f}")
        gap = place is None
    shown = [place for place in places if place is not None]
    spacing = 1 if len(shown) <= _MOST_MARKERS else -(-len(shown) // _FEW_MARKERS)
    marks = "".join(_marker(*place, style, 3) for place in shown[spacing // 2 :: spacing])
    return f'<path class="line s{style % NUM_STYLES}" d="{"".join(drawing)}"/>{marks}'


def _marker(left: float, top: float, style: int, size: float) -> str:
    """A point; its form tells lines apart, as its colour does."""
    colour = f'class="mark s{style % NUM_STYLES}"'
    match style % 4:
        case 0:
            return f'<circle {colour} cx="{left:.1f}" cy="{top:.1f}" r="{size}"/>'
        case 1:
            corner = f'x="{left - size:.1f}" y="{top - size:.1f}"'
            return f'<rect {colour} {corner} width="{2 * size}" height="{2 * size}"/>'
        case 2:
            corners = [(0.0, -1.3), (1.2, 0.9), (-1.2, 0.9)]
        case _:
            corners = [(0.0, -1.4), (1.4, 0.0), (0.0, 1.4), (-1.4, 0.0)]
    points = " ".join(f"{left + size * x:.1f},{top + size * y:.1f}" for x, y in corners)
    return f'<polygon {colour} points="{points}"/>'


def _band(lower: Line, upper: Line, plane: Plane) -> str:
    low = [place for place in _places(lower, plane) if place is not None]
    high = [place for place in _places(upper, plane) if place is not None]
    points = " ".join(f"{left:.1f},{top:.1f}" for left, top in [*low, *reversed(high)])
    return f'<polygon class="band" points="{points}"/>'


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    items = []
    for style, line in enumerate(lines):
        sample = (
            f'<svg viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">'
            f'<path class="line s{style % NUM_STYLES}" d="M1 6L27 6"/>'
            f"{_marker(14, 6, style, 3)}</svg>"
        )
        items.append(f"<li>{sample} {escape(line.name)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _summary(lines: Sequence[Line]) -> str:
    """What a chart of lines shows, in words."""
    parts = []
    for line in lines:
        known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
        if known:
            (first_x, first), (last_x, last) = known[0], known[-1]
            parts.append(
                f"{line.name} from {short(first)} at {short(first_x)} to {short(last)} "
                f"at {short(last_x)}"
            )
    return "; ".join(parts)


def _line_numbers(frame: Frame, lines: Sequence[Line]) -> str:
    """The numbers of a chart, evenly spaced where they are many."""
    where = sorted({x for line in lines for x in line.x})
    kept = where[:: -(-len(where) // 25) or 1]
    if where and kept[-1] != where[-1]:
        kept.append(where[-1])
    found = [dict(zip(line.x, line.y, strict=True)) for line in lines]
    rows = [
        [short(x), *("" if (y := one.get(x)) is None else f"{y:.4g}" for one in found)]
        for x in kept
    ]
    return numbers_table([frame.x_label, *(line.name for line in lines)], rows)


def _figure(frame: Frame, drawing: str, summary: str, legend: str, table: str) -> str:
    label = escape(f"{frame.title}: {frame.y_label} by {frame.x_label}. {summary}", quote=True)
    note = f"<p>{escape(frame.note)}</p>" if frame.note else ""
    return (
        f"<figure><figcaption><h3>{escape(frame.title)}</h3>{note}"
        f'<p class="unit">{escape(frame.y_label)}</p></figcaption>'
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{drawing}</svg>{legend}"
        f"<details><summary>Numbers</summary>{table}</details></figure>"
    )
