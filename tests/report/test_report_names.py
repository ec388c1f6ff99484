"""Names of runs in a report: short ones, unless runs would be called the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_directories import RESULTS, write_run

from qgnn_lightning.report import read_run, render_page
from qgnn_lightning.report._run_names import run_names, told_apart

_FIRST, _SECOND = "62f82256ed8692cb", "12d562478441550c"


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        (["/s/runs/seed_0-" + _FIRST], ["seed 0"]),
        ([f"/s/runs/seed_{n}-{_FIRST}" for n in (0, 11)], ["seed 0", "seed 11"]),
        ([f"/{s}/runs/seed_0-{_FIRST}" for s in "st"], ["s/seed 0", "t/seed 0"]),
        (
            [f"/s/runs/seed_0-{key}" for key in (_FIRST, _SECOND)],
            ["s/seed 0, 62f8", "s/seed 0, 12d5"],
        ),
        (["/a/version_0", "/a/version_1"], ["a/version_0", "a/version_1"]),
        (["/x/a/version_0", "/y/a/version_0"], ["x/a/version_0", "y/a/version_0"]),
        (["/x/r", "/y/r", "/y/q"], ["x/r", "y/r", "q"]),
        (["/r", "/y/r", "/version_1"], ["r", "y/r", "version_1"]),
        (["/r/seed_1", "/r/seed_1-no"], ["seed_1", "seed_1-no"]),
    ],
)
def test_names_are_as_short_as_tells_runs_apart(paths, shown):
    assert told_apart([run_names(Path(path), None) for path in paths]) == shown


def test_a_run_that_is_named_twice_is_called_the_same_twice():
    names = run_names(Path("/x/r"), None)
    first, second, other = told_apart([names, names, ("q",)])
    assert first == second == "x/r"
    assert other == "q"


def test_two_splits_of_one_seed_are_told_apart_by_their_names(tmp_path):
    """The whole page has no hash in it."""
    runs = []
    for split, key in (("public", _FIRST), ("random", _SECOND)):
        noted = RESULTS | {"config": {"data": {"split": split}}}
        runs.append(read_run(write_run(tmp_path / f"runs/seed_0-{key}", results=noted)))
    page = render_page(runs)
    for split in ("public", "random"):
        assert f'">seed 0, {split} split</a>' in page
        assert f"<h2>seed 0, {split} split</h2>" in page
        assert f"<dt>Split</dt><dd>{split}</dd>" in page
    assert _FIRST[:4] not in page
    assert render_page(runs[:1]).count("Report of seed 0<") == 2
