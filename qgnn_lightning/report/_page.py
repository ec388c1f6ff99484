"""The page: head, style and sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from qgnn_lightning.report._comparison import comparison
from qgnn_lightning.report._run_names import told_apart
from qgnn_lightning.report._run_record import RunRecord
from qgnn_lightning.report._sections import run_section

#: Okabe and Ito's colours, which do not rest on telling red from green; lighter on dark ground.
_LIGHT = ("#0072b2", "#d55e00", "#007a5a", "#aa3f86", "#3a3a3a", "#a36f00", "#2c86b8", "#8a6d00")
_DARK = ("#56b4e9", "#ff9a52", "#2fcf9f", "#e79ac8", "#d8d8d8", "#e6b13c", "#8fd0f5", "#f0e442")

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --raised: #f5f6f8; --text: #1b1f24;
  --muted: #58606b; --edge: #d6dae0; LIGHT }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --raised: #1e2329;
  --text: #e7eaee; --muted: #a3acb8; --edge: #3a424d; DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2rem 0 .75rem;
  border-top: 1px solid var(--edge); padding-top: 1rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; } figure h3 { margin-top: 0; }
a { color: var(--c0); } p { margin: .25rem 0; } .unit, figcaption p { color: var(--muted);
  font-size: .875rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: .75rem 0; }
dt { color: var(--muted); font-size: .8125rem; } dd { margin: 0; overflow-wrap: anywhere; }
.tiles dl { gap: .75rem; } .tiles dl > div { background: var(--raised); border-radius: .5rem;
  padding: .5rem .875rem; } .tiles dd { font-size: 1.25rem; font-weight: 600; }
.tables { display: flex; flex-wrap: wrap; gap: 0 2rem; } .tables > div { max-width: 100%; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; margin: 0;
  padding: 0; }
nav a { display: inline-block; padding: .25rem 0; overflow-wrap: anywhere; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
figure { flex: 1 1 min(100%, 22rem); margin: 0; padding: .75rem;
  background: var(--raised); border-radius: .5rem; min-width: 0; display: flex;
  flex-direction: column; }
.chart { width: 100%; max-width: 32rem; height: auto; display: block;
  margin: 0 auto; }
.chart text { font-size: 12px; fill: var(--muted); } .chart .left { text-anchor: end; }
.chart .under, .chart .small { text-anchor: middle; } .chart .small { font-size: 11px; }
.grid { stroke: var(--edge); stroke-width: .7; } .axis { stroke: var(--muted); }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .bar { fill: var(--c0); }
.apart .mark { stroke: var(--raised); }
.band { fill: var(--c0); opacity: .13; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .125rem 1rem; margin: .25rem 0;
  padding: 0; font-size: .8125rem; } .legend li { overflow-wrap: anywhere; }
.legend svg { vertical-align: middle; }
summary { cursor: pointer; padding: .5rem 0; color: var(--muted); }
.scroll, pre { overflow-x: auto; --behind: var(--ground); --shade: rgb(0 0 0 / .28);
  background: linear-gradient(90deg, var(--behind) 40%, transparent) left,
    linear-gradient(270deg, var(--behind) 40%, transparent) right,
    linear-gradient(90deg, var(--shade), transparent) left,
    linear-gradient(270deg, var(--shade), transparent) right;
  background-attachment: local, local, scroll, scroll; background-repeat: no-repeat;
  background-size: 3rem 100%, 3rem 100%, 1rem 100%, 1rem 100%; }
figure .scroll, pre { --behind: var(--raised); }
@media (prefers-color-scheme: dark) { .scroll, pre { --shade: rgb(255 255 255 / .28); } }
table { border-collapse: collapse; font-size: .875rem; }
th, td { padding: .25rem .625rem; text-align: right; border-bottom: 1px solid var(--edge);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; } td.long { white-space: normal; overflow-wrap: anywhere;
  min-width: 8rem; } th[scope=row], thead th:first-child { text-align: left; }
.confusion td[style] { background: color-mix(in srgb, var(--c0) calc(var(--share) * .55),
  transparent); }
pre { background-color: var(--raised); padding: .75rem; border-radius: .5rem;
  font-size: .8125rem; }
@media (max-width: 30rem) { th, td { padding: .25rem .375rem; }
  th[scope=row] { white-space: normal; } .compared th { white-space: normal; }
  .compared th[scope=row] { overflow-wrap: anywhere; min-width: 6.5rem; } }
@media print { details { display: none; } figure { break-inside: avoid; } }
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1>{links}</header>
<main>
{sections}
</main>
</body>
</html>
"""


def render_page(runs: Sequence[RunRecord]) -> str:
    """One page about all runs: no network, no script.

    Args:
        runs: The runs, in the order in which they appear.
    """
    shown = told_apart([run.names for run in runs])
    runs = [replace(run, names=(name,)) for run, name in zip(runs, shown, strict=True)]
    anchors = [f"run-{number}" for number in range(1, len(runs) + 1)]
    sections = [run_section(run, anchor) for run, anchor in zip(runs, anchors, strict=True)]
    links = ""
    if len(runs) > 1:
        sections.insert(0, comparison(runs))
        items = (
            f'<li><a href="#{anchor}">{escape(run.name)}</a></li>'
            for run, anchor in zip(runs, anchors, strict=True)
        )
        links = f'<nav aria-label="Runs"><ul>{"".join(items)}</ul></nav>'
    title = f"Report of {runs[0].name}" if len(runs) == 1 else f"Report of {len(runs)} runs"
    return _PAGE.format(
        title=escape(title), style=_style(), links=links, sections="\n".join(sections)
    )


def _style() -> str:
    themes = (
        " ".join(f"--c{index}: {colour};" for index, colour in enumerate(colours))
        for colours in (_LIGHT, _DARK)
    )
    light, dark = themes
    strokes = "".join(
        f".line.s{index} {{ stroke: var(--c{index}); }}\n"
        f".mark.s{index} {{ fill: var(--c{index}); }}\n"
        for index in range(len(_LIGHT))
    )
    return _STYLE.replace("LIGHT", light).replace("DARK", dark) + strokes
