"""``qgnn report`` on runs of ``qgnn fit``."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from commands import SMALL


def test_a_run_is_reported_from_its_first_epoch_to_its_test_nodes(qgnn, tmp_path):
    options = [*SMALL, "--trainer.max_epochs=3", "--run_dir=run"]
    assert qgnn("fit", *options).code == 0
    outcome = qgnn("report", "run", "-o", "page.html")
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert outcome.out == f"page.html: 1 run, {len(page.encode()):,} bytes\n"
    for title in ("Loss", "Accuracy", "Energy by step", "Error inside its bound", "Constraint"):
        assert f"<h3>{title}</h3>" in page


def test_test_nodes_by_class_and_degree_agree_with_the_results(trained):
    results = json.loads((trained / "results.json").read_text())
    found = json.loads((trained / "evaluation.json").read_text())
    confusion = found["confusion"]
    total = sum(map(sum, confusion))
    right = sum(row[index] for index, row in enumerate(confusion))
    assert total == sum(one["nodes"] for one in found["degrees"]) == 20
    assert right == sum(one["correct"] for one in found["degrees"])
    assert right / total == pytest.approx(results["accuracy"]["test"])
    assert found["class_names"] == ["0", "1", "2"]
    assert {one["name"] for one in found["ranges"]} >= {"encoder input", "messages of 3 steps"}


def test_several_runs_and_the_default_name(qgnn, trained, tmp_path):
    outcome = qgnn("report", str(trained), str(trained))
    assert outcome.code == 0, outcome.err
    assert "Report of 2 runs" in (tmp_path / "report.html").read_text()


def test_text_that_utf_8_does_not_know(qgnn, tmp_path, trained):
    shutil.copytree(trained, tmp_path / "run")
    found = json.loads((trained / "evaluation.json").read_text())
    found["class_names"][0] = "\ud800"
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(found))
    outcome = qgnn("report", "run")
    assert outcome.code == 0, outcome.err
    assert '<th scope="row">?</th>' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_runs_below_a_folder_are_named_the_newest_first(qgnn, tmp_path):
    paths = [f"runs/{name}/version_{n}" for name in ("a", "b") for n in (9, 10)]
    for age, path in enumerate(reversed(paths)):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "config.yaml").write_text("model: {}")
        os.utime(tmp_path / path / "config.yaml", (1e9 - age, 1e9 - age))
    expected = {
        "runs": "; the runs below it, the newest first: runs/b/version_10, runs/b/version_9, "
        "runs/a/version_10 and 1 more",
        "runs/a": "; the runs below it, the newest first: runs/a/version_10, runs/a/version_9",
    }
    for folder, hint in expected.items():
        outcome = qgnn("report", folder)
        assert outcome.code == 2
        assert outcome.err.endswith(f"{folder} holds no run: there is no config.yaml in it{hint}\n")
    shutil.rmtree(tmp_path / "runs/a")
    shutil.rmtree(tmp_path / "runs/b/version_9")
    assert "; did you mean runs/b/version_10?" in qgnn("report", "runs").err


def test_the_file_of_a_study_is_no_run(qgnn, tmp_path):
    (tmp_path / "st.json").write_text("{}")
    outcome = qgnn("report", "st.json")
    assert outcome.code == 2
    assert "st.json is a file: qgnn report takes directories of runs" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "required: RUN"),
        (["none"], 2, "none holds no run: there is no config.yaml in it"),
        (["none", "-o", "a.pdf"], 2, "--output must end in .html or .htm, got 'a.pdf'"),
        (["none", "-o", "no/a.html"], 2, "--output: there is no folder no"),
        (["none", "--out", "a.html"], 2, "unrecognized arguments"),
    ],
)
def test_wrong_input_gives_one_line(qgnn, arguments, code, message):
    outcome = qgnn("report", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert message in outcome.err
