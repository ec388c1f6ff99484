"""The studies of the project name options that exist, with values that go together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qgnn_lightning.cli._worker import check_options
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.study import Cell, Study, read_study
from qgnn_lightning.study._options import nest, to_yaml

_STUDIES = sorted((Path(__file__).parents[2] / "benchmarks" / "accuracy").glob("*.yaml"))


def name_of(path: Path) -> str:
    return path.stem


def covering(study: Study) -> Iterator[Cell]:
    """Cells in which every value of every axis comes up."""
    seen: set[tuple[str, str]] = set()
    for cell in study.cells():
        if not set(cell.values.items()) <= seen:
            seen |= set(cell.values.items())
            yield cell


def test_the_project_has_its_studies():
    assert {"main", "bits", "depth", "constraint", "ablation"} <= {one.stem for one in _STUDIES}


@pytest.mark.parametrize("path", _STUDIES, ids=name_of)
def test_no_two_cells_are_the_same_run(path):
    keys = [run.key for cell in read_study(path, {}).cells() for run in cell.runs]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("path", _STUDIES, ids=name_of)
def test_every_option_is_one_of_fit(path, tmp_path, capsys):
    for cell in covering(read_study(path, {})):
        (tmp_path / "options.yaml").write_text(to_yaml(cell.runs[0].options))
        assert check_options(["-c", str(tmp_path / "options.yaml")]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("path", _STUDIES, ids=name_of)
def test_every_cell_is_a_network(path):
    for cell in read_study(path, {}).cells():
        NodeClassifier(**nest(cell.options)["model"], num_features=4, num_classes=3)
