"""Names of classes as they are shown: long ones, and ones that hold a comma."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgnn_lightning.cli._terminal import shortened
from qgnn_lightning.deploy import load_packed, save_packed

_NUMBER = "99999999999999999999"
_SUBJECT = "Department of Experimental and Applied {} Sciences"
_NAMES = (_NUMBER, _SUBJECT.format("Natural"), _SUBJECT.format("Medical"), "a, b")


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "graph"
    path.mkdir()
    rows = [f'n{number},"{name}"\n' for number, name in enumerate(_NAMES)]
    (path / "labels.csv").write_text("node,label\n" + "".join(rows))
    (path / "features.csv").write_text("node,a\nn0,1\nn1,2\nn2,3\nn3,4\n")
    (path / "edges.csv").write_text("source,target\nn0,n1\n")
    return path


def test_a_table_shows_them_whole_or_cut_in_the_middle(qgnn, folder):
    lines = qgnn("data", "check", str(folder)).out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("class "))
    rows = lines[start + 1 : start + 5]
    medical, natural = "Department of E…dical Sciences", "Department of E…tural Sciences"
    assert {line[:31].rstrip() for line in rows} == {_NUMBER, medical, natural, "a, b"}
    assert {line.index(" %") + 2 for line in rows} == {lines[start].index("share") + len("share")}
    (remark,) = (line for line in lines if "slip in a label" in line)
    assert f"{_NUMBER}, {_NAMES[2]}, {_NAMES[1]}, 'a, b'" in remark


def test_a_picture_has_a_bar_for_each_even_where_names_are_cut_alike(qgnn, folder, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    drawn = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    qgnn("data", "check", str(folder), "--plot", "a.png")
    axes = drawn[0].axes[1]
    labels = [one.get_text() for one in axes.get_yticklabels()]
    alike = "Department o…al Sciences"
    assert sorted(labels) == [_NUMBER, alike, alike, "a, b"]
    assert len({round(bar.get_y(), 3) for bar in axes.patches}) == 4


def test_a_packed_file_tells_apart_those_that_hold_commas(qgnn, trained):
    assert (
        qgnn("export", str(trained / "checkpoints" / "best.ckpt"), "-o", "a.safetensors").code == 0
    )
    for names, shown in (
        (
            ("Banane Größe", 'red, dark "plum"', " cat"),
            """Banane Größe, 'red, dark "plum"', ' cat'""",
        ),
        (("it's", "'quoted'", ""), """it's, "'quoted'", ''"""),
    ):
        network = replace(load_packed("a.safetensors"), class_names=names)
        save_packed(network, "b.safetensors")
        assert qgnn("info", "b.safetensors").out.splitlines()[-1] == f"classes: {shown}"


@given(st.text(), st.integers(3, 40))
def test_what_is_cut_keeps_its_ends_and_says_so(text, width):
    found = shortened(text, width)
    assert len(found) == min(len(text), width)
    if len(text) > width:
        start, _, end = found.rpartition("…")
        assert text.startswith(start)
        assert text.endswith(end)
        assert 0 <= len(start) - len(end) <= 1
    else:
        assert found == text
