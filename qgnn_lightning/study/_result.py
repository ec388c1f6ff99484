"""What a study keeps of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgnn_lightning.storage import RESULTS_FILE
from qgnn_lightning.study._options import flatten
from qgnn_lightning.study._run import Run

TEST, VAL = "accuracy.test", "accuracy.val"
#: Parts of results.json that are no measures, or kept in another form.
_APART = ("seed", "config", "data", "versions", "hardware", "bits", "diagnostics")
_DIGITS = 6


def read_result(run: Run, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what a run has left.

    Args:
        run: The run.
        folder: Its directory.

    Returns:
        What is kept of it: ``seed``, ``key``, ``measures`` (all numbers in its results by dotted
        name) and, where it was observed, ``series`` (by tag, numbers by propagation step, whose
        last and largest are measures ``TAG/last`` and ``TAG/largest``); and the versions and
        hardware.

    Raises:
        ValueError: If it was not tested.
    """
    path = folder / RESULTS_FILE
    if not path.is_file():
        raise ValueError("the run left no results: no epoch was validated and tested")
    results = json.loads(path.read_text(encoding="utf-8"))
    found = flatten({name: one for name, one in results.items() if name not in _APART})
    measures = {name: _rounded(one) for name, one in found.items() if _is_number(one)}
    if TEST not in measures or VAL not in measures:
        raise ValueError("the accuracy in results.json is not a number")
    kept: dict[str, Any] = {"seed": run.seed, "key": run.key, "measures": measures}
    diagnostics = results.get("diagnostics") or {}
    if diagnostics:
        kept["series"] = {tag: _thinned(one) for tag, one in diagnostics.items()}
        for tag, series in diagnostics.items():
            measures |= _of_series(tag, series["values"])
    return kept, {name: results.get(name) for name in ("versions", "hardware")}


def _thinned(series: Mapping[str, Any]) -> dict[str, float | None]:
    """Steps 0 (where there is one), 1, 2, 4, 8 and so on, and the last: depth varies by factors."""
    first, values = series["first"], series["values"]
    last = first + len(values) - 1
    return {
        str(step): _rounded(values[step - first])
        for step in range(first, last + 1)
        if step == last or step & (step - 1) == 0
    }


def _of_series(tag: str, values: Sequence[float | None]) -> dict[str, float]:
    finite = [value for value in values if value is not None]
    found = {f"{tag}/largest": _rounded(max(finite))} if finite else {}
    return found if values[-1] is None else {f"{tag}/last": _rounded(values[-1]), **found}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rounded(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
