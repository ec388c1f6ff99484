"""One's own graph from a folder of files: every format gives the same graph, every fault a line."""

from __future__ import annotations

import pickle
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from qgnn_lightning.data import GraphBatch, GraphDataError, GraphDataModule

LABELS = "node,label\nann,red\nbob,blue\neve,red\ndan,blue\n"
FEATURES = "node,a,b\nbob,3,4\nann,1,2\ndan,7,8.5\neve,5,-6\n"
EDGES = "source,target\nann,bob\nbob,eve\neve,dan\n"
SPLIT = "node,split\neve,val\nann,train\ndan,test\nbob,\n"
X = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, -6.0], [7.0, 8.5]])
Y = torch.tensor([1, 0, 1, 0])  # blue, red
EDGE_INDEX = torch.tensor([[0, 1, 2], [1, 2, 3]])
BOTH = torch.cat([EDGE_INDEX, EDGE_INDEX.flip(0)], 1)
PARTS = np.array(["train", "", "val", "test"])


@pytest.fixture
def folder(tmp_path) -> Path:
    """The graph as CSV files."""
    path = tmp_path / "graph"
    path.mkdir()
    contents = {"labels": LABELS, "features": FEATURES, "edges": EDGES, "split": SPLIT}
    for name, content in contents.items():
        (path / f"{name}.csv").write_text(content)
    return path


def load(folder: Path, **arguments) -> GraphBatch:
    data = GraphDataModule("files", root=str(folder), **arguments)
    data.prepare_data()
    data.setup()
    return data.graph


def expected(**arguments) -> GraphBatch:
    masks = (torch.from_numpy(part == PARTS) for part in ("train", "val", "test"))
    return GraphBatch.from_tensors(X, BOTH, Y, *masks, **arguments)


def assert_same(graph: GraphBatch, other: GraphBatch) -> None:
    dense = graph.x.to_dense() if graph.x.layout == torch.sparse_csr else graph.x
    assert torch.equal(dense, other.x)
    for name in ("y", "train_mask", "val_mask", "test_mask"):
        assert torch.equal(getattr(graph, name), getattr(other, name)), name
    for name in ("rowptr", "col", "degree"):
        assert torch.equal(getattr(graph.adjacency, name), getattr(other.adjacency, name)), name
    assert graph.adjacency.symmetric


def fault(folder: Path, message: str) -> None:
    with pytest.raises(GraphDataError, match=re.escape(message)):
        load(folder)


def test_tables_with_names_give_the_graph_of_its_tensors(folder):
    assert_same(load(folder), expected())
    data = GraphDataModule("files", root=str(folder))
    data.setup()
    assert data.class_names == ("blue", "red")


def test_tables_without_names_count_the_rows(folder):
    (folder / "labels.csv").write_text("label\n1\n0\n1\n0\n")
    (folder / "features.csv").write_text("a,b\n1,2\n3,4\n5,-6\n7,8.5\n")
    (folder / "edges.csv").write_text("source,target\n0,1\n1,2\n2,3\n")
    (folder / "split.csv").write_text('split\ntrain\n""\nval\ntest\n')
    assert_same(load(folder), expected())


def test_arrays_give_the_same_graph(folder):
    for path in folder.iterdir():
        path.unlink()
    np.save(folder / "labels.npy", np.array(["red", "blue", "red", "blue"]))
    np.save(folder / "features.npy", X.double().numpy().astype(">f8"))
    np.save(folder / "edges.npy", EDGE_INDEX.numpy().astype(np.uint16))
    np.save(folder / "split.npy", PARTS)
    assert_same(load(folder), expected())


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_sparse_features_give_the_same_graph(folder, layout):
    (folder / "features.csv").unlink()
    sparse.save_npz(folder / "features.npz", sparse.coo_array(X.numpy()).asformat(layout))
    assert_same(load(folder), expected())


def test_parquet_gives_the_same_graph(folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    csv = pytest.importorskip("pyarrow.csv")
    for path in list(folder.iterdir()):
        parquet.write_table(csv.read_csv(path), path.with_suffix(".parquet"))
        path.unlink()
    assert_same(load(folder), expected())


def test_edges_in_both_directions_repeated_and_to_oneself_change_nothing(folder):
    (folder / "edges.csv").write_text(EDGES + "bob,ann\nbob,ann\nann,ann\n")
    assert_same(load(folder), expected())


def test_a_graph_without_edges(folder):
    (folder / "edges.csv").write_text("source,target\n")
    assert load(folder).adjacency.num_edges == 4  # the self-loops


def test_weights_of_a_table_and_of_an_array(folder):
    weight = torch.tensor([0.5, 2.0, 3.0])
    both = expected(edge_weight=torch.cat([weight, weight]))
    rows = "ann,bob,0.5\nbob,eve,2\neve,dan,3\ndan,eve,3\n"
    (folder / "edges.csv").write_text("source,target,weight\n" + rows)
    assert_same(load(folder), both)
    (folder / "edges.csv").unlink()
    np.save(folder / "edges.npy", EDGE_INDEX.numpy())
    np.save(folder / "edge_weights.npy", weight.numpy())
    assert_same(load(folder), both)


def test_a_random_split_needs_no_file(folder):
    (folder / "split.csv").unlink()
    message = f"files {folder} has no public split: add --data.split random"
    fault(folder, message)
    data = GraphDataModule("files", root=str(folder))
    with pytest.raises(GraphDataError, match="give it one that names its test nodes, or add --da"):
        data.setup("test")
    counts = {"num_train_per_class": 1, "num_val": 1, "num_test": 1}
    assert int(load(folder, split="random", **counts).train_mask.sum()) == 2


def test_a_spreadsheet_s_mark_and_blank_lines_do_not_matter(folder):
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbf" + LABELS.replace("\n", "\r\n\r\n").encode())
    assert_same(load(folder), expected())


def test_minus_one_in_a_table_is_unknown_as_in_an_array(folder):
    (folder / "split.csv").unlink()
    counts = {"num_train_per_class": 1, "num_val": 1, "num_test": 1}
    rows = "ann,{}\nbob,{}\neve,-1\ndan,{}\nfay,{}\n"
    (folder / "features.csv").write_text("node,a\nann,1\nbob,1\neve,1\ndan,1\nfay,2\n")
    for labels in (("0", "1", "0", "1"), ("blue", "red", "blue", "red")):
        (folder / "labels.csv").write_text("node,label\n" + rows.format(*labels))
        assert load(folder, split="random", **counts).y.tolist() == [0, 1, -1, 0, 1]


FAULTS = {
    ("labels.csv", LABELS.replace("blue", "red")): (
        "labels.csv must hold labels of at least two classes, got 1"
    ),
    ("labels.csv", "node,label\nann,1\nbob,9999999999\neve,1\ndan,\n"): (
        "labels.csv:3: labels that are all whole numbers are the numbers of the classes, from 0 "
        "and below the number of nodes, 4; got 9999999999 (node 'bob'); where they are names, put a"
    ),
    ("labels.csv", f"node,label\nann,1\nbob,{'9' * 5000}\neve,1\ndan,\n"): (
        "labels.csv:3: labels that are all whole numbers"
    ),
    ("labels.csv", "node,label\nann,-1\nbob,\neve,\ndan,\n"): (
        "split.csv:2: node 'eve' is in val, but has no label ("
    ),
    ("edges.csv", "source,target\nann,bob\n\nann,zoe\n"): (
        "edges.csv:4: target 'zoe' is no node of labels.csv"
    ),
    ("edges.csv", "source,target\nann,bob,3\n"): "csv:2: must have 2 cells as the header has",
    ("edges.csv", "0,1\n1,2\n"): "must have the columns source, target, and may have weight, got 0",
    ("edges.csv", ""): "edges.csv is empty",
    ("edges.csv", "source,target,weight\nann,bob,0\n"): (
        "edges.csv:2: column 'weight' must hold positive numbers, got '0'"
    ),
    ("edges.csv", "source,target,weight\nann,bob,1\nbob,ann,2\n"): (
        "edges.csv:3: the edge between 'ann' and 'bob' must have one weight, got 2, and 1 on line 2"
    ),
    ("features.csv", "node,a\nann,1\nbob,x\n"): (
        "features.csv:3: column 'a' must hold finite numbers, got 'x' (node 'bob')"
    ),
    ("features.csv", "node,a\nann,nan\n"): (
        "features.csv:2: column 'a' must hold finite numbers, got 'nan' (node 'ann')"
    ),
    ("features.csv", "node,a\nann,1e39\n"): (
        "features.csv:2: column 'a' must hold numbers that fit into float32, got '1e39'"
    ),
    ("features.csv", "node,a\nbob,1\neve,1\ndan,1\nann,1\nann,2\n"): (
        "features.csv:6: node 'ann' must appear once, it is on line 5 too"
    ),
    (
        "features.csv",
        "node,a\nann,1\nbob,2\ndan,1\n",
    ): "labels.csv:4: node 'eve' has no row in features.csv",
    ("features.csv", "a,b\n1,2\n"): (
        "features.csv must have a column node, as labels.csv has: rows without a name go with "
        "nodes that are named 0, 1, 2, ... in this order; got the columns a, b"
    ),
    ("split.csv", "split\ntrain\nval\ntest\ntest\n"): (
        "split.csv must have a column node, as labels.csv has: rows without a name go with nodes "
        "that are named 0, 1, 2, ... in this order; got the columns split"
    ),
    ("labels.csv", "label\n0\n1\n0\n1\n"): ("labels.csv calls its nodes 0 to 3, but "),
    ("features.csv", "node\nann\nbob\neve\ndan\n"): "features.csv must have nodes and features",
    ("labels.csv", "node,label\nann,a\nbob,b\neve,\ndan,b\n"): (
        "split.csv:2: node 'eve' is in val, but has no label ("
    ),
    ("features.csv", "id,a\nann,1\nbob,2\neve,3\ndan,1\n"): (
        "features.csv must have a column node, as labels.csv has: rows without a name go with "
        "nodes that are named 0, 1, 2, ... in this order; got the columns id, a"
    ),
    (
        "labels.csv",
        "node;label\nann;a\n",
    ): "labels.csv must have its columns set apart by commas, got semicolons",
    ("labels.csv", "node\tlabel\nann\ta\n"): "set apart by commas, got tabs",
    ("labels.csv", "node,label\nann,a\nann,b\n"): (
        "labels.csv:3: node 'ann' must appear once, it is on line 2 too"
    ),
    ("labels.csv", "Node,Label\nann,a\n"): (
        "labels.csv must have the columns label, and may have node, got Node, Label; did you mean "
        "node by 'Node', label by 'Label'?"
    ),
    ("edges.csv", "src,target,wt\nann,bob,1\n"): "src, target, wt; did you mean source by 'src'?",
    ("features.csv", "Node,a\n0,1\n"): "features.csv: the column 'Node' must be called node",
    ("features.csv", "node,a\nann,1_000\n"): "column 'a' must hold finite numbers, got '1_000'",
    ("edges.csv", "source,target,weight\nann,bob,1_0\n"): "must hold finite numbers, got '1_0'",
    ("labels.csv", "node,class\nann,a\n"): "must have the columns label, and may have node",
    ("split.csv", "node,split\nann,training\n"): (
        "split.csv:2: split must be train, val, test or empty, got 'training' (node 'ann'); did "
        "you mean train?"
    ),
    ("split.csv", "node,split\nann,train\n"): (
        "split.csv must put at least one node in val and in test"
    ),
    ("split.csv", "node,split\neve,val\nann,train\ndan,test\nann,test\n"): (
        "split.csv:5: node 'ann' must be in one part, got 'test', and 'train' on line 3"
    ),
    ("split.csv", "node,split\neve,val\nann,train\ndan,test\nann,train\n"): (
        "split.csv:5: node 'ann' must appear once, it is on line 3 too"
    ),
}


def test_an_empty_label_is_unknown(folder):
    (folder / "labels.csv").write_text(LABELS.replace("bob,blue", "bob,"))
    graph = load(folder)
    assert graph.y.tolist() == [1, -1, 1, 0]
    assert graph.num_classes == 2
    np.save(folder / "labels.npy", np.array(["red", "", "red", "blue"]))
    (folder / "labels.csv").unlink()
    for name in ("features", "edges", "split"):
        path = folder / f"{name}.csv"
        for number, node in enumerate(("ann", "bob", "eve", "dan")):
            path.write_text(path.read_text().replace(node, str(number)))
    assert load(folder).y.tolist() == [1, -1, 1, 0]


@pytest.mark.parametrize("file", ["labels", "features", "edges", "split"])
def test_a_column_without_a_name_is_no_column(folder, file):
    path = folder / f"{file}.csv"
    rows = path.read_text().splitlines()
    numbered = [f"{number},{row}" for number, row in enumerate(rows)]
    path.write_text("\n".join([f",{rows[0]}", *numbered[1:]]) + "\n")
    fault(
        folder,
        f"{file}.csv: column 1 must have a name, got '': call it node if it holds the names of the "
        "nodes, else leave it out (pandas writes its index, unless index=False is given)",
    )


def test_an_index_of_pandas_in_parquet_is_no_column(folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    csv = pytest.importorskip("pyarrow.csv")
    table = csv.read_csv(folder / "features.csv")
    table = table.append_column("__index_level_0__", table["a"])
    parquet.write_table(table, folder / "features.parquet")
    (folder / "features.csv").unlink()
    fault(folder, "features.parquet: column 4 must have a name, got '__index_level_0__': call it")


def test_the_two_forms_of_an_accent_are_one_name(folder):
    one, other = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))
    assert one != other
    for file, name in (("labels", one), ("features", other), ("edges", other), ("split", one)):
        path = folder / f"{file}.csv"
        content = path.read_text().replace("ann", name)
        path.write_text(
            content.replace("bob,blue", f"bob,{one}").replace("dan,blue", f"dan,{other}")
        )
    assert_same(load(folder), expected())
    data = GraphDataModule("files", root=str(folder))
    data.setup()
    assert data.names.nodes == (one, "bob", "eve", "dan")
    assert data.class_names == ("Zoë", "red")
    with (folder / "features.csv").open("a") as file:
        file.write(f"{one},1,2\n")
    fault(folder, f"features.csv:6: node '{one}' must appear once, it is on line 3 too")
    with (folder / "labels.csv").open("a") as file:
        file.write(f"{other},red\n")
    fault(folder, f"labels.csv:6: node '{other}' must appear once, it is on line 2 too")


def test_labels_without_a_row_are_one_fault(folder):
    (folder / "labels.csv").write_text("node,label\n")
    with pytest.raises(GraphDataError) as caught:
        load(folder)
    told = "must list the nodes, with a row for each, it has none"
    assert str(caught.value) == f"{folder}/labels.csv {told}"
    (folder / "labels.csv").unlink()
    np.save(folder / "labels.npy", np.empty(0, dtype=np.int64))
    fault(folder, f"labels.npy {told}")


@pytest.mark.parametrize(("file", "content"), FAULTS)
def test_faults_of_tables_name_file_line_and_value(folder, file, content):
    (folder / file).write_text(content)
    fault(folder, FAULTS[file, content])


NUMBERED = {
    "labels.csv": "label\nred\nblue\nred\nblue\n",
    "features.csv": "a,b\n1,2\n3,4\n5,-6\n7,8.5\n",
    "edges.csv": "source,target\n0,1\n1,2\n2,3\n",
    "split.csv": 'split\ntrain\n""\nval\ntest\n',
}


def named(file: str, order: list[int]) -> str:
    """The rows of a numbered file in another order, with their numbers as names."""
    header, *rows = NUMBERED[file].splitlines()
    return "\n".join([f"node,{header}", *(f"{node},{rows[node]}" for node in order), ""])


def test_names_that_are_numbers_in_their_order_go_with_rows_without_a_name(folder):
    for file, content in NUMBERED.items():
        (folder / file).write_text(content)
    assert_same(load(folder), expected())
    (folder / "labels.csv").write_text(named("labels.csv", [0, 1, 2, 3]))
    assert_same(load(folder), expected())
    (folder / "labels.csv").write_text(NUMBERED["labels.csv"])
    (folder / "features.csv").write_text(named("features.csv", [0, 1, 2, 3]))
    (folder / "split.csv").write_text(named("split.csv", [3, 1, 0, 2]))
    assert_same(load(folder), expected())


def test_rows_in_two_orders_are_never_paired_by_their_position(folder):
    for file, content in NUMBERED.items():
        (folder / file).write_text(content)
    for file in ("features.csv", "split.csv"):
        (folder / "labels.csv").write_text(named("labels.csv", [0, 2, 1, 3]))
        fault(folder, f"{file} must have a column node, as labels.csv has")
        (folder / file).write_text(named(file, [3, 1, 0, 2]))
    (folder / "labels.csv").write_text(NUMBERED["labels.csv"])
    fault(
        folder,
        "features.csv must name its nodes 0, 1, 2, ... in this order, because labels.csv has no "
        "column node, got 3 after 0 rows; give labels.csv that column, or sort both files by it",
    )
    (folder / "labels.csv").write_text(named("labels.csv", [2, 0, 1, 3]))
    order = [2, 0, 1, 3]
    graph = load(folder)
    assert torch.equal(graph.x, X[order])
    assert torch.equal(graph.y, Y[order])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n1\n2\n", "must have a row for each of the 4 nodes, got 2"),
        ("a\n1\n2\n3\n4\n5\n", "csv:6: must not have more rows than labels.csv has nodes, 4"),
    ],
)
def test_rows_without_names_are_counted(folder, content, message):
    (folder / "labels.csv").write_text(named("labels.csv", [0, 1, 2, 3]))
    (folder / "features.csv").write_text(content)
    with pytest.raises(GraphDataError) as caught:
        load(folder)
    assert any(message in one for one in (str(caught.value), *caught.value.__notes__))


def test_other_bytes_are_no_table(folder):
    (folder / "labels.csv").write_bytes(b"node,label\nann,\xff\n")
    told = "must be comma-separated text in UTF-8, the byte 0xff is not: save the file again"
    fault(folder, f"labels.csv:2: {told}")
    long = "node,label\r\n" + "ann,red\r\n" * 50_000
    (folder / "labels.csv").write_bytes(long.encode() + "Zo\xeb,blue\n".encode("latin-1"))
    fault(folder, f"labels.csv:50002: {told.replace('ff', 'eb')}")
    (folder / "labels.csv").write_text(LABELS, encoding="utf-16")
    fault(folder, "labels.csv:1: must be comma-separated text in UTF-8, the byte 0xf")


ARRAYS = {
    "edges": [
        (EDGE_INDEX.T.numpy(), "edges.npy must lie in|edges.npy must have shape"),
        (EDGE_INDEX.numpy() * 1.0, "whole numbers of shape .2, num_edges., got float64"),
        (EDGE_INDEX.numpy() + 1, r"edges.npy must lie in \[0, 4\), got the edge \[3, 4\]"),
        (EDGE_INDEX.numpy() + 2, r"2 edges do not: \[3, 4\] at position 1, \[4, 5\] at"),
        (np.array([[2**64 - 1], [0]], dtype=np.uint64), "below 2.63"),
    ],
    "labels": [(np.array([0.5, 1, 0, 1]), r"whole numbers of shape \(num_nodes,\), got float64")],
    "features": [
        (X.numpy()[:3], "a row for each of the 4 nodes, got 3"),
        (np.full((4, 2), 1e300), r"npy: 1e\+300 at \(0, 0\) is too large for float32"),
        (np.full((4, 2), np.nan), r"features\.npy must be finite, got nan in row 0, column 0"),
        (np.array([["a"] * 2] * 4), "numbers of shape .num_nodes, num_features., got <U1"),
    ],
    "split": [
        (np.array([0, 1, 2, 3]), "a text per node"),
        (
            np.array(["train", "dev", "", ""]),
            r"npy, node 1: split must .* got 'dev' \(node 'bob'\)",
        ),
        (np.array(["train", "", "test", ""]), "split.npy must put at least one node in val"),
    ],
}
CASES = [(name, *case) for name, cases in ARRAYS.items() for case in cases]


@pytest.mark.parametrize(("name", "array", "message"), CASES)
def test_faults_of_arrays(folder, name, array, message):
    (folder / f"{name}.csv").unlink()
    np.save(folder / f"{name}.npy", array)
    if name == "labels":  # the names of the nodes are gone with the table
        (folder / "edges.csv").write_text("source,target\n")
    with pytest.raises(GraphDataError, match=message):
        load(folder)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(folder, tmp_path):
    trap = tmp_path / "sprung"
    for name in ("edges", "features", "labels", "split"):
        (folder / f"{name}.csv").rename(tmp_path / f"{name}.csv")
        objects = np.empty(4, dtype=object)
        objects[:] = Trap(trap)
        np.save(folder / f"{name}.npy", objects, allow_pickle=True)
        fault(folder, f"{name}.npy must be a numpy .npy file of numbers")
        (folder / f"{name}.npy").write_bytes(pickle.dumps(Trap(trap)))
        fault(folder, f"{name}.npy must be a numpy .npy file of numbers")
        (folder / f"{name}.npy").unlink()
        (tmp_path / f"{name}.csv").rename(folder / f"{name}.csv")
    (folder / "features.csv").unlink()
    objects = np.empty(4, dtype=object)
    objects[:] = Trap(trap)
    np.savez(folder / "features.npz", format=b"csr", shape=(4, 1), data=objects, indices=objects)
    fault(folder, "features.npz must be a sparse matrix of scipy.sparse.save_npz")
    assert not trap.exists()


def test_a_header_that_promises_more_than_there_is_takes_no_memory(folder):
    (folder / "features.csv").unlink()
    header = {"descr": "<f8", "fortran_order": False, "shape": (4, 10**12)}
    with (folder / "features.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    fault(folder, "features.npy must be a numpy .npy file of numbers")


@pytest.mark.parametrize(
    ("indptr", "indices"), [([0, 1, 2, 3, 9], [0, 1, 0, 1]), ([0, 1, 2, 3, 4], [0, 1, 0, 10**6])]
)
def test_sparse_indices_outside_of_the_matrix(folder, indptr, indices):
    (folder / "features.csv").unlink()
    parts = {"indptr": np.array(indptr), "indices": np.array(indices), "data": np.ones(4)}
    np.savez(folder / "features.npz", format=b"csr", shape=(4, 2), **parts)
    fault(folder, "features.npz must be a sparse matrix")


def test_several_arrays_are_no_array(folder):
    (folder / "edges.csv").unlink()
    with (folder / "edges.npy").open("wb") as file:
        np.savez(file, a=np.ones(2))
    fault(
        folder, "edges.npy must be a numpy .npy file of numbers or texts: it holds several arrays"
    )


def test_no_path_leads_out_of_the_folder(folder, tmp_path):
    secret = tmp_path / "secret.csv"
    (folder / "labels.csv").rename(secret)
    (folder / "labels.csv").symlink_to(secret)
    fault(folder, f"labels.csv must not lead out of its folder, to {secret.resolve()}")


def test_missing_and_doubled_files(folder, tmp_path):
    np.save(folder / "labels.npy", Y.numpy())
    fault(folder, "must hold labels once, got labels.csv and labels.npy")
    for path in folder.glob("labels*"):
        path.unlink()
    fault(folder, "must hold labels.csv or .parquet or .npy")
    fault(tmp_path / "none", "root must be the folder of the graph's files, there is none at")
    with pytest.raises(GraphDataError, match=r"data\.root is needed, the folder of the graph's"):
        GraphDataModule("files")


def test_weights_as_an_array_go_with_edges_as_an_array(folder):
    np.save(folder / "edge_weights.npy", np.ones(3))
    fault(folder, "edge_weights.npy goes with edges.npy only")


def test_parquet_faults(folder):
    pytest.importorskip("pyarrow")
    (folder / "edges.csv").unlink()
    (folder / "edges.parquet").write_bytes(b"PAR1 no")
    fault(folder, "edges.parquet must be a Parquet file")
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"source": ["ann", "bob"], "target": ["bob", "zoe"]})
    parquet.write_table(table, folder / "edges.parquet")
    fault(folder, "edges.parquet, row 2: target 'zoe' is no node of labels.csv")


@pytest.mark.parametrize("name", ["labels.csv", "features.npy", "features.npz", "edges.npy"])
def test_what_the_system_says_of_a_file_is_told(folder, name, monkeypatch):
    path = folder / name
    path.with_suffix(".csv").unlink()
    path.touch()

    def refusing(read):
        def refuse(file, *arguments, **options):
            if Path(file) == path:
                raise PermissionError(13, "Permission denied", str(path))
            return read(file, *arguments, **options)

        return refuse

    monkeypatch.setattr(Path, "open", refusing(Path.open))
    monkeypatch.setattr(np, "load", refusing(np.load))
    with pytest.raises(GraphDataError) as caught:
        load(folder)
    assert str(caught.value) == f"{path} cannot be read: Permission denied"
