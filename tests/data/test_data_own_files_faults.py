"""Faults of the files of a graph: all at once, each once, where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from qgnn_lightning.data import GraphDataError, GraphDataModule, GraphFaultsError

NUMBER = 20
NAMES = [f"node{chr(ord('a') + number)}" for number in range(NUMBER)]
PARTS = ["train", "val", "test", "", ""]
CONTENTS = {
    "labels.csv": ["node,label", *(f"{name},{name[-1] > 'j'}" for name in NAMES)],
    "features.csv": ["node,age,size", *(f"{name},1,2" for name in NAMES)],
    "edges.csv": ["source,target", *(f"{a},{b}" for a, b in pairwise(NAMES))],
    "split.csv": ["node,split", *(f"{a},{b}" for a, b in zip(NAMES, PARTS * 4, strict=True))],
}
Change = Callable[[str], str]


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, lines in CONTENTS.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def told(folder: Path, **arguments) -> list[str]:
    """The faults, without the folder."""
    data = GraphDataModule("files", root=str(folder), **arguments)
    with pytest.raises(GraphDataError) as caught:
        data.setup()
    error = caught.value
    faults = error.faults if isinstance(error, GraphFaultsError) else (error,)
    return [str(fault).replace(f"{folder}/", "") for fault in faults]


def change(folder: Path, name: str, change: Change) -> None:
    path = folder / name
    path.write_text(change(path.read_text()))


def test_the_files_are_right(folder):
    GraphDataModule("files", root=str(folder)).setup()


def test_all_faults_of_all_files_are_told_at_once(folder):
    change(folder, "labels.csv", lambda text: text + "nodea,True\n")
    change(folder, "features.csv", lambda text: text.replace("nodeb,1,2", "nodeb,old,2"))
    change(folder, "edges.csv", lambda text: text + "nodea\n")
    change(folder, "split.csv", lambda text: text.replace("nodeb,val", "nodeb,valid"))
    assert told(folder) == [
        "labels.csv:22: node 'nodea' must appear once, it is on line 2 too",
        "features.csv:3: column 'age' must hold finite numbers, got 'old' (node 'nodeb')",
        "edges.csv:21: must have 2 cells as the header has, got 1",
        "split.csv:3: split must be train, val, test or empty, got 'valid' (node 'nodeb'); did "
        "you mean val?",
    ]


def test_files_are_checked_by_themselves_where_the_labels_cannot_be_read(folder):
    change(folder, "labels.csv", lambda text: text.replace("label", "class", 1))
    change(folder, "features.csv", lambda text: text.replace("nodeb,1,2", "nodeb,1,inf"))
    change(folder, "edges.csv", lambda text: text.replace("source", "from"))
    change(folder, "split.csv", lambda text: text + "nodea,val\n")
    first, *others = told(folder)
    assert first == "labels.csv must have the columns label, and may have node, got node, class"
    assert others == [
        "edges.csv must have the columns source, target, and may have weight, got from, target",
        "features.csv:3: column 'size' must hold finite numbers, got 'inf' (node 'nodeb')",
        "split.csv:22: node 'nodea' must be in one part, got 'val', and 'train' on line 2",
    ]
    for name in ("features", "edges", "split"):
        (folder / f"{name}.csv").unlink()
    np.save(folder / "features.npy", np.ones((7, 2)))
    np.save(folder / "edges.npy", np.array([[0, 1], [1, 99]]))
    np.save(folder / "split.npy", np.array(["train", "val", "test"]))
    assert told(folder) == [first]


def test_a_wrong_header_is_one_fault(folder):
    change(folder, "features.csv", lambda text: text.replace("node,age", "name,age"))
    assert told(folder) == [
        "features.csv must have a column node, as labels.csv has: rows without a name go with "
        "nodes that are named 0, 1, 2, ... in this order; got the columns name, age, size"
    ]


def test_a_slip_in_many_rows_is_one_fault_that_counts_them(folder):
    change(folder, "features.csv", lambda text: text.replace(",1,", ",one,", 12))
    change(folder, "edges.csv", lambda text: text.replace("nodec", "nodeC"))
    change(folder, "split.csv", lambda text: text.replace(",test", ",TEST"))
    data = GraphDataModule("files", root=str(folder))
    with pytest.raises(GraphFaultsError, match=r"\(and 2 more: `qgnn data check` tells") as caught:
        data.setup()
    assert caught.value.num_places == 12 + 2 + 4
    assert told(folder) == [
        "features.csv:2: column 'age' must hold finite numbers, got 'one' (node 'nodea'; in 12 "
        "rows: lines 2, 3, 4, 5, 6, 7, 8, 9, ...)",
        "edges.csv:3: target 'nodeC' is no node of labels.csv (in 2 rows: lines 3, 4); did you "
        "mean 'nodec'?",
        "split.csv:4: split must be train, val, test or empty, got 'TEST' (node 'nodec'; in 4 "
        "rows: lines 4, 9, 14, 19); did you mean test?",
    ]


def test_more_than_five_of_a_kind_are_told_as_one(folder):
    other = {name: f"{number}-?" for number, name in enumerate(NAMES)}

    def renamed(text: str) -> str:
        for name, new in other.items():
            text = text.replace(name, new)
        return text

    change(folder, "labels.csv", renamed)
    data = GraphDataModule("files", root=str(folder))
    with pytest.raises(GraphFaultsError, match=r"\(and 3 more: `qgnn data check` tells") as caught:
        data.setup()
    assert caught.value.num_places == 3 * 20 + 38
    lines = "lines 2, 3, 4, 5, 6, 7, 8, 9, ..."
    names = f"20 unknown names: {str(NAMES[:8])[1:-1]}, ...;"
    new = str(list(other.values())[:8])[1:-1]
    assert told(folder) == [
        "labels.csv:2: node '0-?' has no row in features.csv (one of 20 nodes without features: "
        f"{new}, ...; in 20 places, {lines})",
        f"features.csv:2: node 'nodea' is no node of labels.csv (one of {names} in 20 places, "
        f"{lines})",
        f"edges.csv:2: source 'nodea' is no node of labels.csv (one of {names} in 38 places, "
        f"{lines})",
        f"split.csv:2: node 'nodea' is no node of labels.csv (one of {names} in 20 places, "
        f"{lines})",
    ]


def test_a_misspelt_name_is_traced_to_the_labels(folder):
    change(folder, "labels.csv", lambda text: text.replace("noded", "nod3d"))
    change(folder, "labels.csv", lambda text: text.replace("nodet", "nodett"))
    assert told(folder) == [
        "labels.csv:5: node 'nod3d' is in no other file; did you mean 'noded', as in "
        "features.csv:5 and in 3 more places?",
        "labels.csv:21: node 'nodett' is in no other file; did you mean 'nodet', as in "
        "features.csv:21 and in 2 more places?",
    ]


def test_a_misspelt_name_is_traced_to_the_labels_where_features_name_no_nodes(folder):
    (folder / "features.csv").unlink()
    np.save(folder / "features.npy", np.ones((NUMBER, 2)))
    change(folder, "labels.csv", lambda text: text.replace("noded", "node_d"))
    assert told(folder) == [
        "labels.csv:5: node 'node_d' is in no other file; did you mean 'noded', as in edges.csv:4 "
        "and in 2 more places?"
    ]


def test_a_misspelt_name_elsewhere_gets_the_nearest_one(folder):
    change(folder, "features.csv", lambda text: text.replace("noded", "nodde"))
    first, second = told(folder)
    assert first == "labels.csv:5: node 'noded' has no row in features.csv"
    assert second.startswith("features.csv:5: node 'nodde' is no node of labels.csv; did you mean")


def test_labels_without_names_next_to_names_are_one_fault(folder):
    change(folder, "labels.csv", lambda text: "label\n" + "a\nb\n" * 10)
    assert told(folder) == [
        "labels.csv calls its nodes 0 to 19, but features.csv:2 has 'nodea': names of nodes stand "
        "in a column node of labels.csv or labels.parquet"
    ]
    (folder / "features.csv").write_text("age\n" + "1\n" * NUMBER)
    (folder / "edges.csv").write_text("source,target\n0,1\n1,20\n")
    (folder / "split.csv").write_text("split\n" + 'train\nval\ntest\n""\n' * 5)
    assert told(folder) == [
        "edges.csv:3: target '20' is no node of labels.csv; labels.csv calls its nodes 0 to 19"
    ]


def test_whole_numbers_in_another_spelling_are_told_apart_from_names(folder):
    change(folder, "labels.csv", lambda text: "label\n" + "a\nb\n" * 10)
    change(folder, "features.csv", lambda text: "age\n" + "1\n" * NUMBER)
    change(folder, "split.csv", lambda text: "node,split\n+0,train\n1,val\n2,test\n")
    change(folder, "edges.csv", lambda text: "source,target\n1.0,2\n05,7\n-1,2.5\n")
    hint = "labels.csv calls its nodes 0 to 19"
    assert told(folder) == [
        "edges.csv:2: source '1.0' is no node of labels.csv; did you mean '1'?",
        "edges.csv:3: source '05' is no node of labels.csv; did you mean '5'?",
        f"edges.csv:4: source '-1' is no node of labels.csv; {hint}",
        f"edges.csv:4: target '2.5' is no node of labels.csv; {hint}",
        "split.csv:2: node '+0' is no node of labels.csv; did you mean '0'?",
    ]


def test_numbers_with_a_point_get_the_node_without_one(folder):
    change(folder, "labels.csv", lambda text: text.replace("nodea,", "1,").replace("nodeb,", "10,"))
    for name in ("features.csv", "edges.csv", "split.csv"):
        change(folder, name, lambda text: text.replace("nodea", "1.0").replace("nodeb", "10"))
    assert told(folder) == [
        "labels.csv:2: node '1' has no row in features.csv",
        "features.csv:2: node '1.0' is no node of labels.csv; did you mean '1'?",
        "edges.csv:2: source '1.0' is no node of labels.csv; did you mean '1'?",
        "split.csv:2: node '1.0' is no node of labels.csv; did you mean '1'?",
    ]


def test_a_drawn_split_needs_no_file_that_is_right(folder):
    sizes = {"num_train_per_class": 2, "num_val": 4, "num_test": 4}
    change(folder, "split.csv", lambda text: text.replace("test", "val"))
    assert told(folder) == ["split.csv must put at least one node in test"]
    data = GraphDataModule("files", root=str(folder), split="random", **sizes)
    data.setup()
    assert int(data.graph.train_mask.sum()) == 4


def test_weights_that_contradict_each_other_are_named_by_nodes_and_lines(folder):
    rows = ["source,target,weight", "nodea,nodeb,1", "nodeb,nodec,2", "nodec,nodec,3"]
    (folder / "edges.csv").write_text("\n".join([*rows, "nodeb,nodea,1", "nodec,nodeb,2.5", ""]))
    assert told(folder) == [
        "edges.csv:6: the edge between 'nodeb' and 'nodec' must have one weight, got 2.5, and 2 on "
        "line 3"
    ]


def test_labels_that_are_no_class_are_told_with_the_other_faults(folder):
    change(folder, "labels.csv", lambda text: text.replace("True", "1").replace("False", "2000"))
    change(folder, "edges.csv", lambda text: text.replace("nodea", "nodex"))
    first, second = told(folder)
    assert first.startswith("labels.csv:2: labels that are all whole numbers are the numbers of")
    assert "got 2000 (node 'nodea'; in 10 rows: lines 2, 3," in first
    assert second.startswith("edges.csv:2: source 'nodex' is no node of labels.csv")


def test_short_rows_bring_no_faults_of_other_files_with_them(folder):
    change(folder, "labels.csv", lambda text: text.replace("nodea,False", "nodea"))
    change(folder, "features.csv", lambda text: text.replace("nodeb,1,2", "nodeb,1"))
    assert told(folder) == [
        "labels.csv:2: must have 2 cells as the header has, got 1",
        "features.csv:3: must have 3 cells as the header has, got 2",
    ]


def test_rows_of_unknown_nodes_are_read_to_their_end(folder):
    change(folder, "features.csv", lambda text: text + "zoe,1,big\n")
    change(folder, "split.csv", lambda text: text + "zoe,dev\nzoe,dev\n")
    assert told(folder) == [
        "features.csv:22: node 'zoe' is no node of labels.csv",
        "features.csv:22: column 'size' must hold finite numbers, got 'big' (node 'zoe')",
        "split.csv:22: node 'zoe' is no node of labels.csv (in 2 rows: lines 22, 23)",
        "split.csv:22: split must be train, val, test or empty, got 'dev' (node 'zoe')",
        "split.csv:23: node 'zoe' must appear once, it is on line 22 too",
    ]


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_set_apart_by_other_marks_are_one_sentence(folder, mark, name):
    for file in CONTENTS:
        change(folder, file, lambda text: text.replace(",", mark).replace("1", "0,5"))
    files = ("labels", "features", "edges", "split")
    assert told(folder) == [
        f"{file}.csv must have its columns set apart by commas, got {name}" for file in files
    ]


def test_long_cells_are_cut(folder):
    change(folder, "features.csv", lambda text: text.replace("nodeb,1", "nodeb," + "x" * 999))
    assert told(folder) == [
        f"features.csv:3: column 'age' must hold finite numbers, got '{'x' * 60}...' (node 'nodeb')"
    ]


def test_a_weight_that_is_no_number_is_said_without_a_hint_at_names(folder):
    (folder / "edges.csv").write_text("source,target,weight\nnodea,nodeb,abc\n")
    assert told(folder) == ["edges.csv:2: column 'weight' must hold finite numbers, got 'abc'"]


def test_a_column_of_text_and_decimal_commas_are_told_apart(folder):
    change(folder, "features.csv", lambda text: text.replace(",2\n", ",blue\n"))
    change(folder, "features.csv", lambda text: text.replace(",1,", ',"-0,6331",'))
    assert told(folder) == [
        "features.csv:2: column 'age' must hold finite numbers, got '-0,6331' (node 'nodea'; in "
        "all 20 rows); decimals need a point",
        "features.csv:2: column 'size' must hold finite numbers, got 'blue' (node 'nodea'; in all "
        "20 rows); encode a column of text as numbers (one column per value), or drop it",
    ]


def test_faults_of_many_columns_of_a_row_name_the_columns(folder):
    cells = ["nan", "", "inf", "-inf", "x", "NaN", "1"]
    rows = [f"{name},{'1,' * 6}1" for name in NAMES[1:]]
    header = "node,a,b,c,d,e,f,g"
    lines = [header, f"nodea,{','.join(cells)}", *rows, ""]
    (folder / "features.csv").write_text("\n".join(lines))
    assert told(folder) == [
        "features.csv:2: column 'a' must hold finite numbers, got 'nan' (node 'nodea'; one of 6 "
        "columns without finite numbers: 'a', 'b', 'c', 'd', 'e', 'f'; in 6 places, line 2)"
    ]


def test_missing_files_keep_no_other_fault_from_being_told(folder):
    (folder / "features.csv").rename(folder / "nodes.csv")
    change(folder, "edges.csv", lambda text: text.replace("source,target", "from,to"))
    change(folder, "split.csv", lambda text: text.replace("nodeb,val", "nodeb,valid"))
    first, second, third = told(folder)
    assert first.endswith(
        " must hold features.csv or .parquet or .npy or .npz; not used: 'nodes.csv' "
        "(docs/data-format.md describes the files)"
    )
    assert second.startswith("edges.csv must have the columns source, target, and may have weight")
    assert third.startswith("split.csv:3: split must be train, val, test or empty, got 'valid'")
    for name in ("labels", "edges", "split"):
        (folder / f"{name}.csv").unlink()
    assert "edges.csv or .parquet or .npy; features.csv or" in told(folder)[0]


def test_names_in_capitals_are_told(folder):
    (folder / "features.csv").rename(folder / "Features.CSV")
    (folder / "split.csv").rename(folder / "SPLIT.csv")
    if (folder / "features.csv").is_file():
        pytest.skip("the disk does not tell capitals apart")
    assert told(folder) == [
        "Features.CSV must be called features.csv",
        "SPLIT.csv must be called split.csv",
    ]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_files_are_told_with_the_other_faults(folder, content):
    (folder / "features.csv").write_text(content)
    change(folder, "split.csv", lambda text: text.replace("nodeb,val", "zoe,val"))
    assert told(folder) == [
        "features.csv is empty",
        "split.csv:3: node 'zoe' is no node of labels.csv",
    ]


@pytest.mark.parametrize("name", ["labels.csv", "features.csv", "split.csv"])
@pytest.mark.parametrize("closed", ["", "noder"])
def test_a_quote_that_is_not_closed_is_told_where_it_opens(folder, name, closed):
    change(folder, name, lambda text: text.replace("nodec,", '"nodec,'))
    if closed:
        change(folder, name, lambda text: text.replace(f"{closed},", f'{closed}",'))
    assert told(folder) == [f"{name}:4: a quote is not closed on its line"]
    change(folder, name, lambda text: text + "x" * 200_000)
    assert told(folder)[0].startswith(f"{name}:4: a quote is not closed")


def test_numbers_near_the_end_of_float32_are_read(folder):
    change(folder, "features.csv", lambda text: text.replace("nodeb,1,2", "nodeb,3e38,-3e38"))
    data = GraphDataModule("files", root=str(folder))
    data.setup()
    assert data.graph.x[1].tolist() == np.float32([3e38, -3e38]).tolist()
