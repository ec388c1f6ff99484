"""Running, keeping and continuing, with a worker that only pretends to train."""

from __future__ import annotations

import re
import statistics

import pytest
from study_cases import make, read, results_of, study

from qgnn_lightning.study import RunsFailedError, StudyError, WorkerPool, execute, missing, plan


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_hold_mean_and_unbiased_deviation(tmp_path, jobs, capsys):
    path = tmp_path / "results.json"
    make(results_of(path, study("int2", "int4", seeds=(0, 1, 4))), jobs)
    content = read(path)
    assert [cell["values"] for cell in content["cells"]] == [{"bits": "int2"}, {"bits": "int4"}]
    for cell in content["cells"]:
        found = [run["measures"]["accuracy.test"] for run in cell["runs"]]
        assert found == pytest.approx([0.25, 0.35, 0.65])
        assert [run["seed"] for run in cell["runs"]] == [0, 1, 4]
        summary = cell["summary"]["accuracy.test"]
        assert summary["mean"] == pytest.approx(statistics.mean(found), rel=1e-5)
        assert summary["std"] == pytest.approx(statistics.stdev(found), rel=1e-5)
        assert summary["count"] == 3
        assert cell["summary"]["accuracy.val"]["std"] == 0
    assert content["environments"][0]["versions"] == {"torch": "2"}
    assert len(content["environments"]) == 1
    table = (tmp_path / "results.md").read_text()
    assert "| int2 | 41.67 ± 20.82 | 25.00 ± 0.00 | 3 | 1.5 |" in table
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert sorted(one.name for one in tmp_path.iterdir()) == ["results.json", "results.md"]


def test_numbers_of_a_run_are_kept_and_series_are_thinned(tmp_path):
    path = tmp_path / "results.json"
    make(results_of(path, study("int2", seeds=(0,))))
    (run,) = read(path)["cells"][0]["runs"]
    assert run["series"] == {"energy": {"0": 5.0, "1": 4.0, "2": 3.0, "4": 1.0, "5": 0.5}}
    assert run["measures"].pop("process") > 0
    assert run["measures"] == {
        "accuracy.test": 0.25, "accuracy.val": 0.25, "seconds.fit": 1.5,
        "energy/last": 0.5, "energy/largest": 5.0,
    }  # fmt: skip
    assert read(path)["cells"][0]["summary"]["accuracy.test"]["std"] is None


def test_finished_runs_are_not_repeated(tmp_path, capsys):
    path = tmp_path / "results.json"
    make(results_of(path, study("int2")))
    before = read(path)["cells"][0]["runs"]
    more = results_of(path, study("int4", "int2", seeds=(0, 1, 2)))
    assert [(run.values["bits"], run.seed) for run in missing(more)] == [
        ("int4", 0), ("int4", 1), ("int4", 2), ("int2", 2)
    ]  # fmt: skip
    assert plan(more).splitlines()[0] == (
        "tiny: 2 combinations of options, 6 runs, 2 finished, 4 to do"
    )
    capsys.readouterr()
    make(more)
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert read(path)["cells"][1]["runs"][:2] == before
    # A worker that cannot even start is not needed any more.
    with WorkerPool(("false",), 1) as unusable:
        execute(results_of(path, study("int4", "int2", seeds=(0, 1, 2))), unusable)


def test_runs_that_left_the_study_are_kept(tmp_path):
    path = tmp_path / "results.json"
    make(results_of(path, study("int2", "int4")))
    make(results_of(path, study("int2")))
    content = read(path)
    assert len(content["cells"]) == 1
    assert len(content["other_runs"]) == 2
    assert missing(results_of(path, study("int2", "int4"))) == []


@pytest.mark.parametrize(
    ("bits", "error"),
    [("bad", "the loss is nan"), ("fatal", "the process was killed by SIGKILL")],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failed_run_is_reported_and_the_others_go_on(tmp_path, bits, error, jobs, capsys):
    path = tmp_path / "results.json"
    with pytest.raises(RunsFailedError, match=f"2 of 6 runs failed, the first: bits={bits} seed"):
        make(results_of(path, study("int2", bits, "int4")), jobs)
    content = read(path)
    assert [len(cell["runs"]) for cell in content["cells"]] == [2, 0, 2]
    assert content["failures"] == {f"bits={bits} seed {seed}": error for seed in (0, 1)}
    assert capsys.readouterr().out.count(f"failed: {error}") == 2
    assert f"| {bits} | - | - | - |" in (tmp_path / "results.md").read_text()
    # They are tried again.
    assert len(missing(results_of(path, study("int2", bits, "int4")))) == 2


def test_wrong_options_are_refused_before_anything_runs(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(StudyError, match=r"^bits=unknown: unknown option --model\.bits$"):
        make(results_of(path, study("int2", "unknown")))
    assert not path.exists()


@pytest.mark.parametrize(("root", "error"), [("none", StudyError), ("wrong", RunsFailedError)])
def test_a_graph_that_cannot_be_read_is_refused_before_anything_runs(
    tmp_path, monkeypatch, root, error
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results.json"
    with pytest.raises(error, match=f"^--data.root {root}$"):  # all cells have it: none is named
        make(results_of(path, study("int2", "int4", **{"data.root": root})))
    two = study("int2")
    axes = {"graph": {one: {"data.root": one} for one in ("good", root)}}
    object.__setattr__(two, "axes", axes)
    with pytest.raises(error, match=f"^graph={root}: --data.root {root}$"):
        make(results_of(path, two))
    assert not path.exists()


def test_each_graph_is_read_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graphs = study("int2")
    axes = {"graph": {one: {"data.root": one} for one in "ab"}, **graphs.axes}
    object.__setattr__(graphs, "axes", {**axes, "more": {"x": {}, "y": {"model.lr": 1}}})
    make(results_of(tmp_path / "results.json", graphs))
    assert (tmp_path / "read.txt").read_text() == "a\nb\n"


def test_the_time_that_is_left_is_told_until_nothing_is(tmp_path, capsys):
    make(results_of(tmp_path / "results.json", study("int2", seeds=(0, 1, 2))))
    first, second, last = capsys.readouterr().out.splitlines()
    told = r"\] bits=int2 seed \d: test [\d.]+ %, validation 25.0 %"
    for line in (first, second):
        assert re.search(told + r" \(\d+ s left\)$", line)
    assert re.search(told + "$", last)


def test_one_process_makes_the_runs_of_one_setting_of_the_trainer(tmp_path):
    path = tmp_path / "results.json"
    make(results_of(path, study("int2", "int4")))
    runs = [run for cell in read(path)["cells"] for run in cell["runs"]]
    assert len({run["measures"]["process"] for run in runs}) == 1
    epochs = study("int2", seeds=(0,), **{"trainer.max_epochs": 3})
    object.__setattr__(
        epochs, "axes", {"epochs": {str(n): {"trainer.max_epochs": n} for n in (1, 2)}}
    )
    make(results_of(tmp_path / "other.json", epochs))
    runs = [run for cell in read(tmp_path / "other.json")["cells"] for run in cell["runs"]]
    assert len({run["measures"]["process"] for run in runs}) == 2


def test_directories_of_runs_stay_where_they_are_wanted(tmp_path):
    keep = tmp_path / "runs"
    make(results_of(tmp_path / "results.json", study("int2")), keep=keep)
    names = sorted(one.name.split("-")[0] for one in keep.iterdir())
    assert names == ["seed_0", "seed_1"]
    for folder in keep.iterdir():
        assert {one.name for one in folder.iterdir()} == {
            "results.json", "options.yaml", "log.txt"
        }  # fmt: skip


def test_cells_of_equal_options_share_their_runs(tmp_path, capsys):
    same = study("int2")
    object.__setattr__(same, "axes", {"x": {"a": {}, "b": {}}})
    make(results_of(tmp_path / "results.json", same))
    assert len(capsys.readouterr().out.splitlines()) == 2
    cells = read(tmp_path / "results.json")["cells"]
    assert cells[0]["runs"] == cells[1]["runs"]


@pytest.mark.parametrize("text", ["{}", "no json", "[]", '{"cells": 3, "other_runs": []}'])
def test_another_file_is_not_overwritten(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(StudyError, match="is not a result file of a study"):
        results_of(path, study("int2"))
    assert path.read_text() == text


def test_the_folder_of_the_results_must_exist(tmp_path):
    with pytest.raises(StudyError, match="-o must be a file in a folder that exists"):
        results_of(tmp_path / "no" / "results.json", study("int2"))
