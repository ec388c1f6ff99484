"""Every fault is answered with one line and a non-zero exit code, and nothing is lost by it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "trust"))
import faults

#: Of the commands that meet a fault in the same place, the tests run one.
_SAME = {"info", "predict", "export", "report", "study", "data check"}
_CELLS = [
    cell
    for cell in faults.cells()
    if not (cell.fault.endswith("disk") or cell.fault.endswith("checkpoint"))
    or cell.command not in _SAME
]


@pytest.fixture(scope="module")
def begin(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "begin"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["qgnn"])
        faults.start(folder)
    return folder


@pytest.mark.parametrize("cell", _CELLS, ids=lambda cell: f"{cell.fault}, {cell.command}")
def test_fault(cell, begin, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    if cell.fault.endswith("disk") and not faults.has_mount():
        pytest.skip("needs to mount a small tmpfs")
    outcome = faults.run(cell, begin, tmp_path / "cell")
    assert faults.wrong(cell, outcome) is None
