"""validate, test and predict on a checkpoint."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from commands import load

from qgnn_lightning.cli._application import Application
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.lightning_module import NodeClassifier

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def best(trained) -> str:
    return f"--ckpt_path={trained / 'checkpoints' / 'best.ckpt'}"


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(("command", "split"), [("validate", "val"), ("test", "test")])
def test_the_accuracy_of_a_checkpoint_on_its_own_data(
    qgnn, trained, best, command, split, tmp_path
):
    outcome = qgnn(command, best)
    assert outcome.code == 0
    assert outcome.err == ""
    accuracy = json.loads((trained / "results.json").read_text())["accuracy"][split]
    assert f"{split}/accuracy{'':{15 - len(split) - 9}}{100 * accuracy:.1f} %\n" in outcome.out
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["validate", "test"])
def test_evaluation_changes_no_bit_of_the_state(trained, best, monkeypatch, command):
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    with quiet():
        application = Application([command, best], 0.0)
    stored = load(trained / "checkpoints" / "best.ckpt")["state_dict"]
    found = application.model.state_dict()
    assert found.keys() == stored.keys()
    for name, value in stored.items():
        assert torch.equal(found[name], value), name


def test_a_model_is_loaded_where_there_is_no_data(trained):
    model = NodeClassifier.load_from_checkpoint(trained / "checkpoints" / "best.ckpt")
    assert model.hparams["num_features"] == 8
    assert model.hparams["num_classes"] == 3


def test_the_stored_configuration_serves_every_command(qgnn, trained, best):
    config = str(trained / "config.yaml")
    assert qgnn("test", "-c", config, best).out == qgnn("test", best).out


def test_predictions_are_written_next_to_the_run(qgnn, trained, best, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    outcome = qgnn("predict", "--ckpt_path=run/checkpoints/best.ckpt")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    path = tmp_path / "run" / "predictions.csv"
    assert outcome.out == "60 predictions in run/predictions.csv\n"
    rows = _rows(path)
    assert rows[0] == ["node", "class", "probability"]
    assert [int(row[0]) for row in rows[1:]] == list(range(60))
    assert all(0 <= int(row[1]) < 3 and 1 / 3 <= float(row[2]) <= 1 for row in rows[1:])


def test_the_help_names_the_file_that_is_written(qgnn):
    told = " ".join(qgnn("predict", "--help").out.split())
    assert "by default predictions.csv in the directory of the run, or in the current" in told
    assert "--packed FILE takes a packed network instead" in told
    told = " ".join(qgnn("predict", "--packed=any", "--help").out.split())
    assert "by default predictions.csv in the current folder" in told


def test_predictions_hold_every_class_where_asked(qgnn, best, tmp_path):
    assert qgnn("predict", best, "--output=p.csv", "--every_probability").code == 0
    header, *rows = _rows(tmp_path / "p.csv")
    assert header[2:] == ["probability", *(f"probability of {number}" for number in range(3))]
    for _, best_class, highest, *each in rows:
        assert each[int(best_class)] == highest == max(each, key=float)
        assert sum(map(float, each)) == pytest.approx(1, abs=2e-6)


def test_predictions_go_where_they_are_wanted(qgnn, best, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    assert qgnn("predict", best, "--output=p.csv").code == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 61
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_parquet_holds_the_same_table(qgnn, best, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert qgnn("predict", best, "--output=p.csv").code == 0
    assert qgnn("predict", best, "--output=p.parquet").code == 0
    table = parquet.read_table(tmp_path / "p.parquet").to_pydict()
    rows = _rows(tmp_path / "p.csv")[1:]
    assert table["node"] == [int(row[0]) for row in rows]
    assert table["class"] == [int(row[1]) for row in rows]
    assert [f"{value:.6f}" for value in table["probability"]] == [row[2] for row in rows]


def test_parquet_without_pyarrow_is_a_clear_error(qgnn, best, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    outcome = qgnn("predict", best, "--output=p.parquet")
    assert outcome.code == 1
    assert "needs pyarrow: pip install pyarrow, or name a .csv file" in outcome.err
    assert not any(tmp_path.iterdir())
