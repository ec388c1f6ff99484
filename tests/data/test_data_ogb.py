"""Sets of OGB: read as they are published or saved; nothing asked, nothing deleted."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path

import numpy as np
import ogb_sets
import pytest
import torch

from qgnn_lightning.data import GraphDataError, GraphDataModule
from qgnn_lightning.data._sources._ogb_meta import published_meta
from qgnn_lightning.data._sources._ogb_read import import_ogb


@pytest.fixture(autouse=True)
def _never_asks(monkeypatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("something was asked on the terminal")

    monkeypatch.setattr(builtins, "input", refuse)


@pytest.fixture
def saved(tmp_path) -> Path:
    return ogb_sets.write_saved(tmp_path / "own")


def _module(root: Path, cache: Path, name: str = ogb_sets.NAME, **options) -> GraphDataModule:
    return GraphDataModule(
        "ogb", name=name, root=str(root), cache_dir=str(cache), download=False, **options
    )


def _loaded(*arguments, **options) -> GraphDataModule:
    data = _module(*arguments, **options)
    data.prepare_data()
    data.setup()
    return data


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _assert_is_the_set(graph, *, directed: bool = False) -> None:
    expected = ogb_sets.arrays()
    assert torch.equal(graph.x, torch.from_numpy(expected["x"]))
    assert graph.y.tolist() == expected["y"][:, 0].tolist()
    for part in ("train", "val", "test"):
        nodes = expected["valid" if part == "val" else part]
        assert graph.mask(part).nonzero().flatten().tolist() == nodes.tolist()
    dense = np.eye(ogb_sets.NUM_NODES)
    source, target = expected["edge_index"]
    dense[target, source] = 1
    if not directed:
        dense[source, target] = 1
    found = graph.adjacency.matrix(torch.float32).to_dense().numpy()
    assert np.array_equal(found, dense)
    assert graph.adjacency.symmetric is not directed


def test_a_saved_set_is_read_and_read_again(saved, tmp_path):
    before = _listing(saved)
    for _ in range(2):
        _assert_is_the_set(_loaded(saved, tmp_path / "cache").graph)
    assert _listing(saved) == before


def test_a_moved_set_is_still_found(saved, tmp_path):
    moved = saved.rename(tmp_path / "elsewhere")
    _assert_is_the_set(_loaded(moved, tmp_path / "cache").graph)


@pytest.mark.parametrize("suffix", ["", "_pyg"])
def test_a_published_set_is_read_from_its_csv_files(tmp_path, suffix):
    folder = ogb_sets.write_published(tmp_path / "root")
    folder.rename(f"{folder}{suffix}")
    before = _listing(tmp_path / "root")
    for _ in range(2):
        data = _loaded(tmp_path / "root", tmp_path / "cache", "ogbn-arxiv")
        _assert_is_the_set(data.graph)
    assert _listing(tmp_path / "root") == before


def test_products_stores_one_direction_and_is_always_undirected(tmp_path):
    ogb_sets.write_published(tmp_path / "root", "ogbn-products", "sales_ranking")
    for undirected in (True, False):
        data = _loaded(
            tmp_path / "root", tmp_path / "cache", "ogbn-products", undirected=undirected
        )
        _assert_is_the_set(data.graph)


def test_the_directions_of_a_directed_set_are_kept_where_wanted(saved, tmp_path):
    graph = _loaded(saved, tmp_path / "cache", undirected=False).graph
    _assert_is_the_set(graph, directed=True)


def test_the_catalogue_knows_the_official_splits():
    arxiv, products = published_meta("ogbn-arxiv"), published_meta("ogbn-products")
    assert (arxiv.split, arxiv.num_classes, arxiv.add_inverse_edge) == ("time", 40, False)
    assert (products.split, products.num_classes) == ("sales_ranking", 47)
    assert products.add_inverse_edge
    assert arxiv.url is not None
    assert arxiv.url.endswith("/arxiv.zip")


def test_missing_files_are_listed_in_one_line_with_their_place(tmp_path):
    folder = ogb_sets.write_published(tmp_path / "root")
    (folder / "raw" / "node-feat.csv.gz").unlink()
    (folder / "split" / "time" / "valid.csv.gz").unlink()
    with pytest.raises(GraphDataError) as error:
        _module(tmp_path / "root", tmp_path, "ogbn-arxiv").prepare_data()
    message = str(error.value)
    assert message.startswith(f"ogbn-arxiv needs 8 files in {folder}, missing: ")
    assert "missing: raw/node-feat.csv.gz, split/time/valid.csv.gz. Put them there" in message
    assert "\n" not in message
    assert folder.is_dir()


def test_a_failed_download_says_so_and_deletes_nothing(tmp_path, monkeypatch):
    folder = ogb_sets.write_published(tmp_path / "root")
    (folder / "raw" / "edge.csv.gz").unlink()
    before = _listing(tmp_path / "root")

    def no_network(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    from qgnn_lightning.data._sources._pyg import import_pyg

    monkeypatch.setattr(import_pyg("data"), "download_url", no_network)
    data = GraphDataModule("ogb", name="ogbn-arxiv", root=str(tmp_path / "root"))
    with pytest.raises(GraphDataError, match=r"missing: raw/edge\.csv\.gz\. The download failed"):
        data.prepare_data()
    assert _listing(tmp_path / "root") == before


def test_a_download_puts_the_archive_where_ogb_does(tmp_path, monkeypatch):
    import shutil

    from qgnn_lightning.data._sources._pyg import import_pyg

    ogb_sets.write_published(tmp_path / "published")
    (tmp_path / "published" / "ogbn_arxiv").rename(tmp_path / "published" / "arxiv")
    archive = shutil.make_archive(str(tmp_path / "arxiv"), "zip", tmp_path / "published")

    def local(url: str, folder: str, **_: object) -> str:
        return shutil.copy(archive, folder)

    monkeypatch.setattr(import_pyg("data"), "download_url", local)
    options = {"root": str(tmp_path / "root"), "cache_dir": str(tmp_path / "cache")}
    data = GraphDataModule("ogb", name="ogbn-arxiv", **options)
    data.prepare_data()
    data.setup()
    _assert_is_the_set(data.graph)
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["ogbn_arxiv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "name must start with 'ogbn-' for ogb, got None"),
        ("arxiv", "name must start with 'ogbn-' for ogb, got 'arxiv'"),
        ("ogbn-none", "name must be one of ogbn-products, ogbn-arxiv, ogbn-papers100M for ogb, or"),
        ("ogbn-mag", "ogbn-mag has several types of nodes: only sets with features and one class"),
        ("ogbn-proteins", "ogbn-proteins asks for 112 x binary classification: only sets with"),
    ],
)
def test_sets_of_another_kind_are_refused(tmp_path, name, message):
    with pytest.raises(GraphDataError, match=message):
        _module(tmp_path, tmp_path, name).prepare_data()


def test_several_tasks_and_other_names_are_refused(tmp_path, saved):
    two = ogb_sets.write_saved(tmp_path / "two", num_tasks=2)
    with pytest.raises(GraphDataError, match="asks for 2 x multiclass classification"):
        _module(two, tmp_path).prepare_data()
    with pytest.raises(GraphDataError, match="describes the set 'tiny', not 'ogbn-other'"):
        _module(saved, tmp_path, "ogbn-other").prepare_data()


def test_a_file_that_would_run_code_is_refused(saved, tmp_path):
    class Harm:
        def __reduce__(self):
            return (builtins.exec, ("raise SystemExit('harm')",))

    for path in (saved / "tiny" / "split" / "time" / "split_dict.pt", saved / "meta_dict.pt"):
        torch.save({"train": Harm()}, path)
        with pytest.raises(GraphDataError, match="UnpicklingError"):
            _loaded(saved, tmp_path / "cache")


def test_labels_that_are_missing_or_no_class_are_refused(saved, tmp_path):
    for value, message in ((np.nan, "1 nodes have no label"), (3, "label 3 must be below num")):
        labels = ogb_sets.arrays()["y"].astype("f4")
        labels[5] = value
        np.savez(saved / "tiny" / "raw" / "node-label.npz", node_label=labels)
        with pytest.raises(GraphDataError, match=message):
            _loaded(saved, tmp_path / "cache")


def test_ogb_is_imported_only_when_used_and_starts_no_thread(saved, tmp_path):
    code = f"""
import sys, threading
from qgnn_lightning.data import GraphDataModule
data = GraphDataModule("ogb", name={ogb_sets.NAME!r}, root={str(saved)!r},
                       cache_dir={str(tmp_path / "cache")!r}, download=False)
data.prepare_data()
assert "ogb" not in sys.modules
import threading
start = threading.Thread.start
def refuse(self):
    assert self._target is None or self._target.__module__ != "ogb", "a thread was started"
    start(self)
threading.Thread.start = refuse
data.setup()
assert "ogb" in sys.modules and "outdated" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def test_our_metric_is_the_one_of_the_official_evaluator():
    from torchmetrics.classification import MulticlassAccuracy

    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 40, (500,), generator=draw)
    scores = torch.rand(500, 40, generator=draw)
    scores[torch.arange(250), labels[:250]] = 2
    official = import_ogb("nodeproppred").Evaluator("ogbn-arxiv")
    answers = {"y_true": labels[:, None], "y_pred": scores.argmax(1, keepdim=True)}
    ours = MulticlassAccuracy(40, average="micro")(scores, labels)
    assert float(ours) == pytest.approx(official.eval(answers)["acc"], abs=1e-7)  # one float32


def test_numpy_1_names_are_read_too(tmp_path):
    from qgnn_lightning.data._sources._ogb_tensors import load_plain

    path = tmp_path / "split.pt"
    torch.save({"train": np.arange(3)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray\n" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert load_plain(path)["train"].tolist() == [0, 1, 2]
    torch.save([1], path)
    with pytest.raises(TypeError, match="expected a dictionary, found list"):
        load_plain(path)
