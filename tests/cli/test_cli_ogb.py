"""All commands on a set written by OGB's DatasetSaver."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import ogb_sets
import pytest

from qgnn_lightning.data._sources._ogb_read import import_ogb


@pytest.fixture
def options(tmp_path) -> list[str]:
    root = ogb_sets.write_saved(tmp_path / "own")
    return [
        "--data.source=ogb",
        f"--data.name={ogb_sets.NAME}",
        f"--data.root={root}",
        f"--data.cache_dir={tmp_path / 'cache'}",
    ]


def _classes(path: Path) -> np.ndarray:
    with path.open(newline="") as file:
        return np.array([int(row["class"]) for row in csv.DictReader(file)])


def test_fit_test_predict_and_packed_predict(qgnn, options, tmp_path):
    quick = ["--trainer.max_epochs=30", "--trainer.accelerator=cpu", "--model.dropout=0"]
    small = ["--model.hidden_features=8", "--model.num_steps=3", "--observers=false"]
    outcome = qgnn("fit", *options, *quick, *small, "--run_dir=run")
    assert outcome.code == 0, outcome.err
    best = "run/checkpoints/best.ckpt"
    accuracy = json.loads(Path("run/results.json").read_text())["accuracy"]["test"]
    outcome = qgnn("test", "--ckpt_path", best, *options)
    assert outcome.code == 0, outcome.err
    assert f"{100 * accuracy:.1f} %\n" in outcome.out
    assert qgnn("predict", "--ckpt_path", best, *options, "--output=one.csv").code == 0
    assert qgnn("export", best, "-o", "m.safetensors").code == 0
    outcome = qgnn("predict", "--packed", "m.safetensors", *options, "--output=two.csv")
    assert outcome.code == 0, outcome.err
    assert Path("one.csv").read_text() == Path("two.csv").read_text()

    parts = ogb_sets.arrays()
    predicted = _classes(Path("one.csv"))[parts["test"], None]
    evaluator = import_ogb("nodeproppred").Evaluator("ogbn-arxiv")
    answers = {"y_true": parts["y"][parts["test"]], "y_pred": predicted}
    assert evaluator.eval(answers)["acc"] == pytest.approx(accuracy)
    assert accuracy > 0.8


def test_a_set_that_is_not_there_is_one_line(qgnn, tmp_path):
    where = [f"--data.root={tmp_path / 'data'}", "--data.download=false"]
    outcome = qgnn("fit", "--data.source=ogb", "--data.name=ogbn-arxiv", *where)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert f"ogbn-arxiv needs 8 files in {tmp_path / 'data' / 'ogbn_arxiv'}" in outcome.err
    assert "missing: raw/edge.csv.gz" in outcome.err
