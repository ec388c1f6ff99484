"""The figures and the commands of docs/scale.md."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

import pytest

from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.kernels import PackedLayout

_PROJECT = Path(__file__).parents[1]
_TEXT = (_PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
_NODES, _CLASSES, _EDGES = 111_059_956, 172, 1_615_685_872


def test_the_estimate_is_the_arithmetic_it_says():
    codes, residual = (PackedLayout(_CLASSES, bits).row_bytes for bits in (2, 8))
    full = 4 * _CLASSES
    for label, size in (("float32", full), ("codes of 2 bits", codes), ("residual", residual)):
        pattern = rf"\| {label}.* \| {size} \| {size * _NODES / 1e9:.1f} GB \|"
        assert re.search(pattern, _TEXT), pattern
    nonzeros = 2 * _EDGES + _NODES
    packed = 2 * codes + residual
    for found in (
        f"{nonzeros / 1e9:.2f} billion non-zeros",
        f"keeps the input: {3 * full * _NODES / 1e9:.0f} GB",
        f"in place: {packed * _NODES / 1e9:.1f} GB, {3 * full / packed:.1f} times less",
        f"{(4 * nonzeros + 8 * _NODES) / 1e9:.1f} GB (4 bytes per non-zero",
        f"{codes * nonzeros / 1e9:.0f} GB instead of {full * nonzeros / 1e12:.1f} TB",
    ):
        assert found in _TEXT.replace("\n", " "), found


@pytest.mark.parametrize("name", sorted(set(re.findall(r"--data\.(\w+)", _TEXT))))
def test_options_of_the_data_exist(name):
    assert name in signature(GraphDataModule.__init__).parameters


def test_files_of_the_commands_exist():
    files = set(re.findall(r"configs/[\w/]+\.yaml", _TEXT))
    assert len(files) >= 3
    assert all((_PROJECT / file).is_file() for file in files)
