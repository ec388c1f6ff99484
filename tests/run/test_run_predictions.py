"""Predictions of several batches are one table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qgnn_lightning.data import GraphNames
from qgnn_lightning.lightning_module import Prediction
from qgnn_lightning.run import prediction_writer, write_predictions


def _prediction(*nodes: int) -> Prediction:
    ids = torch.tensor(nodes)
    probabilities = torch.zeros(len(nodes), 3)
    probabilities[range(len(nodes)), ids % 3] = ids / 10
    return Prediction(ids, probabilities)


def test_batches_follow_each_other(tmp_path):
    path = tmp_path / "p.csv"
    assert write_predictions([_prediction(1, 2), _prediction(7)], path) == 3
    assert path.read_text() == (
        "node,class,probability\n1,1,0.100000\n2,2,0.200000\n7,1,0.700000\n"
    )


def test_every_class_has_a_column_where_asked(tmp_path):
    path = tmp_path / "p.csv"
    write_predictions([_prediction(1, 5)], path, every_class=True)
    assert path.read_text() == (
        "node,class,probability,probability of 0,probability of 1,probability of 2\n"
        "1,1,0.100000,0.000000,0.100000,0.000000\n5,2,0.500000,0.000000,0.000000,0.500000\n"
    )


NAMES = GraphNames(tuple("abcdefgh"), ("red, dark", "green", "blue"))


def test_names_take_the_place_of_numbers(tmp_path):
    path = tmp_path / "p.csv"
    assert write_predictions([_prediction(1, 6)], path, NAMES) == 2
    assert path.read_text() == (
        'node,class,probability\nb,green,0.100000\ng,"red, dark",0.600000\n'
    )


def test_names_take_the_place_of_numbers_in_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    assert write_predictions([_prediction(1, 6)], path, NAMES) == 2
    table = parquet.read_table(path).to_pydict()
    assert table["node"] == ["b", "g"]
    assert table["class"] == ["green", "red, dark"]


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"output must end in .csv or .parquet, got '/'"):
        prediction_writer(Path("/"))
    with pytest.raises(ValueError, match=r"output must end in .csv or .parquet, got 'p.txt'"):
        write_predictions([_prediction(1)], tmp_path / "p.txt")
    assert not any(tmp_path.iterdir())
