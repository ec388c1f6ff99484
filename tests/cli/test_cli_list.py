"""``qgnn list`` names what the code takes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from qgnn_lightning.cli._list import CHOICES
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier

_PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("option", CHOICES)
def test_choices_are_those_of_the_code(option):
    part, name = option.split(".")
    owner = {"data": GraphDataModule, "model": NodeClassifier}[part]
    assert set(CHOICES[option]) == set(get_args(get_type_hints(owner.__init__)[name]))


def test_configurations_are_listed_with_what_they_say(qgnn, tmp_path):
    outcome = qgnn("list")
    assert outcome.code == 0
    for path in (_PROJECT / "configs").glob("*/*.yaml"):
        assert str(path) in outcome.out
    folder = tmp_path / "configs" / "mine"
    folder.mkdir(parents=True)
    (folder / "one.yaml").write_text("# My own.\nmodel:\n  bits: int2\n")
    assert "configs/mine/one.yaml  My own\n" in qgnn("list").out


def test_every_line_says_what_it_names(qgnn):
    lines = [line for line in qgnn("list").out.splitlines() if line.startswith("  ")]
    assert all(len(re.split(r"\s{2,}", line.strip(), maxsplit=1)) == 2 for line in lines)


def test_torch_is_not_imported():
    code = (
        "import sys\nfrom qgnn_lightning.cli import main\nassert main(['list']) == 0\n"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_nothing_follows(qgnn):
    outcome = qgnn("list", "models")
    assert outcome.code == 2
    assert "qgnn list takes no arguments, got 'models'" in outcome.err
    assert qgnn("list", "--help").code == 0
