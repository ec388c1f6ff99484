"""``qgnn data check``."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL

DATA = [option for option in SMALL if option.startswith("--data")]


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "mine"
    path.mkdir()
    (path / "labels.csv").write_text("node,label\nann,red\nbob,blue\neve,red\n")
    (path / "features.csv").write_text("node,a\nann,1\nbob,0\neve,3\n")
    (path / "edges.csv").write_text("source,target\nann,bob\nann,eve\n")
    return path


def test_a_folder_is_described(qgnn, folder):
    outcome = qgnn("data", "check", str(folder))
    assert outcome.code == 0, outcome.err
    facts = dict(line.split(None, 1) for line in outcome.out.splitlines() if " " in line)
    assert facts["nodes"] == "3"
    assert facts["edges"] == "2 undirected"
    assert facts["features"] == "1, 33.3 % zeros"
    assert facts["homophily"].startswith("50.0 % of the edges")
    assert facts["split"] == "none, and too few nodes with a label to draw one"
    assert facts["red"].split()[:2] == ["2", "66.7"]


def test_what_is_seldom_meant_is_remarked(qgnn, folder):
    (folder / "labels.csv").write_text("node,label\nann,red\nbob,\neve,rde\n")
    (folder / "edges.csv").write_text("source,target\n")
    lines = qgnn("data", "check", str(folder)).out.splitlines()
    assert "classes        2, and 1 node of unknown class" in lines
    assert "note           there are no edges: nothing is learned from neighbours" in lines
    assert "note           classes of one or two nodes, a slip in a label? rde, red" in lines


def test_classes_are_counted_in_each_part_of_the_split(qgnn, folder):
    (folder / "labels.csv").write_text("label\n" + "red\nblue\n" * 3 + "pink\n")
    (folder / "features.csv").write_text("a\n" + "1\n" * 6 + "2\n")
    (folder / "edges.csv").write_text("source,target\n")
    split = ["train", "val", "train", "test", '""', "test", "val"]
    (folder / "split.csv").write_text("split\n" + "\n".join(split))
    lines = qgnn("data", "check", str(folder)).out.splitlines()
    assert "split          2 train, 2 val, 2 test, 1 in none" in lines
    assert "note           classes without a training node are never learned: blue, pink" in lines
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["class"] == ["class", "nodes", "share", "train", "val", "test"]
    assert [rows[name][4:7] for name in ("red", "blue", "pink")] == [
        ["2", "0", "0"],
        ["0", "1", "2"],
        ["0", "1", "0"],
    ]
    assert "degree         0 at every node" in lines
    assert "components     7, each a single node" in lines


def test_features_that_tell_no_nodes_apart_are_remarked(qgnn, folder):
    (folder / "labels.csv").write_text("label\n" + "0\n1\n" * 8)
    (folder / "edges.csv").write_text("source,target\n0,1\n2,3\n")
    alike = "all nodes have the same features: only their edges tell them apart"
    nothing = "all features are 0: there is nothing to learn from"
    for row, remark in (("3,3", alike), ("0,5", alike), ("0,0", nothing)):
        (folder / "features.csv").write_text("a,b\n" + f"{row}\n" * 16)
        assert f"note           {remark}\n" in qgnn("data", "check", str(folder)).out
    outcome = qgnn("fit", *drawn_from(folder, 4), "--trainer.max_epochs=1")
    assert (outcome.code, outcome.err) == (1, f"qgnn fit: error: {nothing}\n")


def test_one_class_is_an_error_before_a_run_is_made(qgnn, folder):
    (folder / "labels.csv").write_text("label\nred\nred\nred\n")
    (folder / "features.csv").write_text("a\n1\n0\n3\n")
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    source = ["--data.source=files", f"--data.root={folder}", "--data.split=random"]
    for command in (["data", "check", str(folder)], ["fit", *source]):
        outcome = qgnn(*command)
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert "labels.csv must hold labels of at least two classes, got 1" in outcome.err
    assert not list(Path().rglob("version_*"))


def test_a_graph_to_test_on_is_described(qgnn, folder):
    (folder / "labels.csv").write_text("node,label\nann,red\nbob,blue\neve,\n")
    (folder / "split.csv").write_text("node,split\nann,test\nbob,test\n")
    outcome = qgnn("data", "check", str(folder))
    assert outcome.code == 0, outcome.err
    told = "the split has no train and no val node: enough for qgnn test, not to train"
    assert f"note           {told}" in outcome.out.splitlines()
    outcome = qgnn("fit", "--data.source=files", f"--data.root={folder}")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)


def test_a_graph_to_predict_on_is_described(qgnn, folder):
    pytest.importorskip("matplotlib")
    (folder / "labels.csv").write_text("node,label\nann,\nbob,\neve,-1\n")
    outcome = qgnn("data", "check", str(folder), "--plot", "graph.png")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert "nodes          3" in lines
    assert "classes        none, and 3 nodes of unknown class" in lines
    known = "enough for qgnn predict, not to train or to test"
    assert f"note           no label is known: {known}" in lines
    assert not [line for line in lines if line.startswith("class ")]
    for command in (["data", "check", str(folder), "--data.split=random"], ["fit"]):
        source = drawn_from(folder, 1) if command == ["fit"] else []
        outcome = qgnn(*command, *source)
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert f"must hold labels of at least two classes, got 0: {known}" in outcome.err
    assert not list(Path().rglob("version_*"))


def test_words_for_an_unknown_label_are_remarked(qgnn, folder):
    labels = ["red", "blue"] * 7 + ["NaN", "n/a"]
    nodes = range(len(labels))
    (folder / "labels.csv").write_text("label\n" + "\n".join(labels))
    (folder / "features.csv").write_text("a\n" + "\n".join(f"{node}" for node in nodes))
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    remark = (
        "note           a class is called NaN and another n/a: where a label is not known, leave "
        "its cell empty\n"
    )
    assert remark in qgnn("data", "check", str(folder)).out
    source = drawn_from(folder, 1)
    outcome = qgnn("fit", *source, "--trainer.max_epochs=1", "--observers=false")
    assert outcome.code == 0, outcome.err
    assert remark in outcome.out
    (folder / "labels.csv").write_text("label\n" + "red\nNancy\n" * 8)
    assert "a class is called" not in qgnn("data", "check", str(folder)).out


def test_a_file_that_is_no_npz_is_told_in_our_words(qgnn):
    Path("g.npz").write_text("hello")
    outcome = qgnn("data", "check", "g.npz")
    assert outcome.code == 1
    assert (
        "g.npz must be a numpy .npz file of plain arrays, as numpy.savez writes it" in outcome.err
    )
    assert "pickle" not in outcome.err


def test_one_class_in_an_npz_file_is_an_error(qgnn):
    np.savez("g.npz", x=np.ones((3, 2)), edge_index=np.array([[0], [1]]), y=np.array([1, 1, -1]))
    outcome = qgnn("data", "check", "g.npz")
    assert "npz g.npz must hold labels of at least two classes, got 1" in outcome.err


def drawn_from(folder, number):
    """Options for files, and parts of so many nodes drawn at random."""
    drawn = [f"--data.{name}={number}" for name in ("num_train_per_class", "num_val", "num_test")]
    return ["--data.source=files", f"--data.root={folder}", "--data.split=random", *drawn]


def test_classes_without_a_node_are_remarked(qgnn, folder):
    (folder / "labels.csv").write_text("label\n" + "1\n5\n9\n" * 5)
    (folder / "features.csv").write_text("a\n" + "0\n1\n3\n" * 5)
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    source = drawn_from(folder, 2)
    remark = "note           7 of the 10 classes have no node (0, 2, 3, 4, 6, ...): labels that"
    assert remark in qgnn("data", "check", str(folder)).out
    outcome = qgnn("fit", *source, "--trainer.max_epochs=1", "--observers=false")
    assert outcome.code == 0, outcome.err
    assert remark in outcome.out


def test_columns_of_very_different_size_are_remarked(qgnn, folder):
    drawn = ["--data.split=random", "--data.num_train_per_class=1"]
    (folder / "labels.csv").write_text("label\n" + "0\n1\n" * 8)
    (folder / "edges.csv").write_text("source,target\n0,1\n2,3\n")
    source = ["--data.source=files", f"--data.root={folder}", "--data.num_val=4"]
    source += ["--data.num_test=4", "--trainer.max_epochs=1", "--observers=false", *drawn]
    for most, remarked in ((30, False), (31, True)):
        (folder / "features.csv").write_text("age,sex,rich\n" + f"0.5,1,-{most}\n0,0,0\n" * 8)
        lines = qgnn("data", "check", str(folder), *drawn[:1], *source[2:4], drawn[1]).out
        assert (f"the largest reaches {most}, half of them at most 1;" in lines) == remarked
        for bits, concerned in (("int2", True), ("int8", False)):
            outcome = qgnn("fit", *source, f"--model.bits={bits}")
            assert outcome.code == 0, outcome.err
            note = "note           columns of the features differ"
            assert (note in outcome.out) == (remarked and concerned)
            dry = qgnn("fit", *source, f"--model.bits={bits}", "--dry_run").out
            assert (note in dry) == (remarked and concerned)
            assert dry.endswith("dry run: nothing was kept or written\n")


def test_huge_features_are_remarked_and_named_where_a_training_fails(qgnn, folder):
    (folder / "labels.csv").write_text("label\n" + "0\n1\n" * 8)
    (folder / "features.csv").write_text("age,rich\n" + "1e30,1e30\n0,-3e38\n" * 8)
    (folder / "edges.csv").write_text("source,target\n0,1\n2,3\n")
    source = drawn_from(folder, 4)
    huge = "features reach 3e+38, in column 1 (counted from 0)"
    assert f"note           {huge}" in qgnn("data", "check", str(folder)).out
    outcome = qgnn("fit", *source, "--model.bits=float32", "--trainer.max_epochs=9")
    assert f"note           {huge}" in outcome.out
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert re.search(r"loss is (nan|inf) in step", outcome.err)
    assert huge in outcome.err


def test_a_drawn_split_is_counted(qgnn, folder):
    drawn = ["--data.split=random", "--data.num_train_per_class=1"]
    outcome = qgnn("data", "check", str(folder), *drawn, "--data.num_val=1", "--data.num_test=1")
    assert outcome.code == 2
    assert (
        "--data.num_val + --data.num_test must not exceed the 1 nodes that are not trained on "
        "(--data.num_train_per_class=1)" in outcome.err
    )
    assert "got 1 + 1: 3 nodes with a label are too few to draw a split" in outcome.err
    assert "20 train" not in outcome.out


def test_one_hint_is_enough_to_draw_a_split(qgnn, folder):
    (folder / "labels.csv").write_text("label\n" + "red\nblue\nblue\n" * 6)
    (folder / "features.csv").write_text("a\n" + "1\n0\n2\n" * 6)
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    source = ["--data.source=files", f"--data.root={folder}", "--trainer.max_epochs=1"]
    drawn = "--data.split random --data.num_train_per_class 3 --data.num_val 3 --data.num_test 6"
    outcome = qgnn("data", "check", str(folder))
    assert f"none: train with {drawn}\n" in outcome.out
    for given in ([], ["--data.split=random"]):
        outcome = qgnn("fit", *source, *given)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert drawn.removeprefix("--data.split random ") in outcome.err
    assert qgnn("fit", *source, *drawn.split(), "--observers=false").code == 0


def test_a_configuration_and_options(qgnn, tmp_path):
    (tmp_path / "data.yaml").write_text("data:\n  source: block_model\n  num_nodes: 50\n")
    outcome = qgnn("data", "check", "-c", "data.yaml", *DATA[1:])
    assert outcome.code == 0, outcome.err
    assert "nodes          60" in outcome.out
    assert "15 train, 15 val, 20 test, 10 in none" in outcome.out


def test_an_npz_file(qgnn, tmp_path):
    arrays = {"x": np.ones((3, 2)), "edge_index": np.array([[0], [1]]), "y": np.array([0, 1, 1])}
    np.savez(tmp_path / "g.npz", **arrays)
    outcome = qgnn("data", "check", "g.npz")
    assert outcome.code == 0, outcome.err
    assert "1 directed" in outcome.out
    remark = "note           the graph is directed, nodes receive along its edges one way only: if"
    assert outcome.out.count(remark) == 1
    arrays["edge_index"] = np.array([[0, 1], [1, 0]])
    np.savez(tmp_path / "g.npz", **arrays)
    both = qgnn("data", "check", "g.npz").out
    assert "1 undirected" in both
    assert "directed, nodes" not in both


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_drawn(qgnn, folder, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    outcome = qgnn("data", "check", str(folder), "--plot", f"graph{suffix}")
    assert outcome.code == 0, outcome.err
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert (tmp_path / f"graph{suffix}").read_bytes().startswith(starts[suffix])


def test_the_bars_of_the_picture_carry_numbers(qgnn, folder, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    drawn = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, file, **_: drawn.append(self))
    monkeypatch.setattr("qgnn_lightning.cli._graph_picture.atomic_path", nullcontext)
    assert qgnn("data", "check", str(folder), "--plot", "graph.png").code == 0
    degrees, classes = ([text.get_text() for text in axes.texts] for axes in drawn[0].axes)
    assert degrees == ["0", "2", "1"]  # of 0, 1 and 2 neighbours
    assert classes == ["1", "2"]  # blue, red


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "qgnn data is followed by check, got nothing"),
        (["chek"], 2, "qgnn data is followed by check, got 'chek': did you mean check?"),
        (["mine"], 2, "got 'mine': did you mean qgnn data check mine?"),
        (["foo"], 2, "got 'foo': see qgnn data --help"),
        (["check"], 2, "a graph is needed: qgnn data check PATH, or -c CONFIG"),
        (["check", "none"], 2, "there is none at none"),
        (["check", "--data.sorce", "x"], 2, "did you mean --data.source?"),
        (["check", "mine", "--plot", "a.gif"], 2, "--plot must end in .png, .svg, .pdf, got 'a.g"),
        (["check", "mine", "--plot", "no/a.png"], 2, "there is no folder no"),
    ],
)
def test_wrong_input_gives_one_line(qgnn, folder, arguments, code, message):
    outcome = qgnn("data", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert message in outcome.err


def test_errors_begin_with_the_whole_name_of_the_command(qgnn, folder):
    for arguments, name in ((["check", "none"], "qgnn data check"), (["chek"], "qgnn data")):
        assert qgnn("data", *arguments).err.startswith(f"{name}: error: ")
    assert qgnn("bench", "model", "--foo").err.startswith("qgnn bench model: error: ")


def test_the_help_is_one_screen_and_says_where_the_rest_is(qgnn):
    short = qgnn("data", "--help").out
    assert short == qgnn("data", "check", "mine", "-h").out
    assert len(short.splitlines()) <= 30
    assert max(map(len, short.splitlines())) <= 100
    assert "example:\n  qgnn data check my_graph --plot my_graph.png\n" in short
    every = qgnn("data", "check", "--help", "all").out
    named = set(re.findall(r"--[\w.]+", short)) - {"--OPTION"}
    assert named == named & set(re.findall(r"--[\w.]+", every))
    for text in (short, every):
        assert "``" not in text
    outcome = qgnn("data", "--help", "model")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "--help is followed by all or nothing, got 'model'" in outcome.err


def test_names_of_classes_are_only_text(qgnn, folder, tmp_path):
    pytest.importorskip("matplotlib")
    (folder / "labels.csv").write_text("label\n$\\frac$\n\x1b[31mred\n\u6c34\n")
    (folder / "features.csv").write_text("a\n1\n0\n3\n")
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    outcome = qgnn("data", "check", str(folder), "--plot", "graph.png")
    assert outcome.code == 0, outcome.err
    assert "?[31mred" in outcome.out
    assert "\x1b" not in outcome.out


def test_faults_of_the_files_are_told(qgnn, folder):
    (folder / "edges.csv").write_text("source,target\nann,zoe\n")
    outcome = qgnn("data", "check", str(folder))
    assert outcome.code == 1
    assert outcome.err == (
        f"qgnn data check: error: {folder}/edges.csv:2: target 'zoe' is no node of labels.csv\n"
    )


def test_all_faults_are_told_at_once_and_in_a_training_the_first(qgnn, folder):
    (folder / "features.csv").write_text("node,a\nann,1\nbob,x\neve,3\n")
    (folder / "edges.csv").write_text("source,target\nann\nann,zoe\nann,bob\n" + "zoe,ann\n" * 9)
    (folder / "split.csv").write_text("node,split\nann,dev\nbob,train\nbob,val\n")
    outcome = qgnn("data", "check", str(folder))
    assert outcome.code == 1
    faults = [
        "features.csv:3: column 'a' must hold finite numbers, got 'x' (node 'bob')",
        "edges.csv:2: must have 2 cells as the header has, got 1",
        "edges.csv:3: target 'zoe' is no node of labels.csv (in 10 rows: lines 3, 5, 6, 7, 8, 9, ",
        "split.csv:2: split must be train, val, test or empty, got 'dev' (node 'ann')",
        "split.csv:4: node 'bob' must be in one part, got 'val', and 'train' on line 3",
    ]
    *lines, last = outcome.err.splitlines()
    for line, text in zip(lines, faults, strict=True):
        assert line.startswith("qgnn data check: error: ")
        assert text in line
    assert last == "qgnn data check: error: 5 faults in 14 places"
    outcome = qgnn("fit", "--data.source=files", f"--data.root={folder}")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert f"{faults[0]} (and 4 more: `qgnn data check` tells all)\n" in outcome.err


def test_a_line_that_speaks_for_many_names_is_one_fault(qgnn, folder):
    strangers = "".join(f"ann,stranger{number}\n" for number in range(330))
    (folder / "edges.csv").write_text(f"source,target\n{strangers}")
    (folder / "features.csv").write_text("node,a\nann,1\nbob,x\neve,3\n")
    first, second, last = qgnn("data", "check", str(folder)).err.splitlines()
    assert "features.csv:3: column 'a' must hold finite numbers" in first
    assert "one of 330 unknown names: 'stranger0', " in second
    assert last == "qgnn data check: error: 2 faults in 331 places"


def test_all_faults_of_arrays_are_told_at_once(qgnn):
    edges, y = np.array([[0, 1], [1, 3]]), np.array([0, 5, 1])
    np.savez("g.npz", x=np.array([[1.0], [np.nan], [1.0]]), edge_index=edges, y=y)
    lines = qgnn("data", "check", "g.npz").err.splitlines()
    assert len(lines) == 4
    assert "check: error: x must be finite, got nan in row 1, column 0" in lines[0]
    assert "check: error: edge_index must lie in [0, 3), got the edge [1, 3] at" in lines[1]
    assert "check: error: y must lie in [0, 3)" in lines[2]
    assert lines[3] == "qgnn data check: error: 3 faults"
