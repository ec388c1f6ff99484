"""Planetoid, Coauthor and Amazon: known sizes, known splits, folders left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from qgnn_lightning.data import GraphDataError, GraphDataModule

_SIZES = {
    # nodes, features, classes, directed edges, train, val, test: as published
    "Cora": (2708, 1433, 7, 10556, 140, 500, 1000),
    "CiteSeer": (3327, 3703, 6, 9104, 120, 500, 1000),
}


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


def _load(**arguments) -> GraphDataModule:
    data = GraphDataModule(download=False, **arguments)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("name", _SIZES)
@pytest.mark.parametrize("from_cache", [False, True])
def test_sizes_are_those_published(planetoid_root, cache_dir, name, from_cache):
    graphs = Path(cache_dir) / "graphs"
    assert from_cache == any(path.name.startswith(name.lower()) for path in graphs.glob("*"))
    data = _load(source="planetoid", name=name, root=str(planetoid_root), cache_dir=cache_dir)
    graph = data.graph
    edges = graph.adjacency.num_edges - graph.num_nodes
    split = [int(graph.mask(part).sum()) for part in ("train", "val", "test")]
    assert (data.num_nodes, data.num_features, data.num_classes, edges, *split) == _SIZES[name]
    assert graph.adjacency.symmetric
    assert set(torch.bincount(graph.y[graph.train_mask]).tolist()) == {20}


@pytest.mark.parametrize("normalize", [True, False])
def test_words_are_sparse_and_normalised_on_request(planetoid_root, cache_dir, normalize):
    where = {"root": str(planetoid_root), "cache_dir": cache_dir}
    data = _load(source="planetoid", name="cora", normalize_features=normalize, **where)
    x = data.graph.x
    assert x.layout == torch.sparse_csr
    if normalize:
        torch.testing.assert_close(x.to_dense().sum(1), torch.ones(2708))
    else:
        assert set(x.values().tolist()) == {1.0}


def test_neighbours_share_their_class(planetoid_root, cache_dir):
    # Most citations of Cora stay within a class; a shuffled node order would give about 0.18.
    graph = _load(
        source="planetoid", name="Cora", root=str(planetoid_root), cache_dir=cache_dir
    ).graph
    other = graph.adjacency.row != graph.adjacency.col
    same = graph.y[graph.adjacency.row[other]] == graph.y[graph.adjacency.col[other]]
    assert float(same.float().mean()) == pytest.approx(0.81, abs=0.005)


def test_a_read_only_root_is_enough_and_stays_as_it_is(planetoid_root, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(planetoid_root / "Cora", root / "Cora")
    folders = [root, root / "Cora", root / "Cora" / "raw"]
    before = sorted((str(p), p.stat().st_mtime_ns) for p in [root, *root.rglob("*")])
    for folder in folders:
        folder.chmod(0o555)
    cache = tmp_path / "cache"
    try:
        data = GraphDataModule("planetoid", "Cora", root=str(root), cache_dir=str(cache))
        data.prepare_data()
        data.setup()
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert sorted((str(p), p.stat().st_mtime_ns) for p in [root, *root.rglob("*")]) == before
    assert [path.suffix for path in (cache / "graphs").iterdir()] == [".safetensors"]


def test_a_random_split_replaces_the_public_one(planetoid_root, cache_dir):
    where = {"name": "Cora", "root": str(planetoid_root), "cache_dir": cache_dir}
    public = _load(source="planetoid", **where).graph
    random = _load(source="planetoid", split="random", num_train_per_class=3, **where).graph
    assert int(random.train_mask.sum()) == 21
    assert not torch.equal(random.test_mask, public.test_mask)


def _write_co_graph(path: Path, num_nodes: int = 30) -> None:
    """A directed path, words counted, in the layout of the published files."""
    nodes = np.arange(num_nodes)
    path.parent.mkdir(parents=True)
    np.savez(
        path,
        attr_data=np.full(num_nodes, 3.0, dtype=np.float32),
        attr_indices=nodes % 4,
        attr_indptr=np.arange(num_nodes + 1),
        attr_shape=np.array([num_nodes, 50]),
        adj_data=np.ones(num_nodes - 1, dtype=np.float32),
        adj_indices=nodes[1:],
        adj_indptr=np.minimum(np.arange(num_nodes + 1), num_nodes - 1),
        adj_shape=np.array([num_nodes, num_nodes]),
        labels=nodes % 3,
    )


@pytest.mark.parametrize(
    ("source", "name", "file"),
    [
        ("coauthor", "cs", "CS/raw/ms_academic_cs.npz"),
        ("coauthor", "Physics", "Physics/raw/ms_academic_phy.npz"),
        ("amazon", "computers", "Computers/raw/amazon_electronics_computers.npz"),
        ("amazon", "Photo", "Photo/raw/amazon_electronics_photo.npz"),
    ],
)
def test_graphs_without_a_public_split_need_a_random_one(tmp_path, source, name, file):
    _write_co_graph(tmp_path / file)
    where = {"source": source, "name": name, "root": str(tmp_path), "cache_dir": str(tmp_path)}
    with pytest.raises(GraphDataError, match="has no public split: add --data"):
        _load(**where)
    graph = _load(**where, split="random", num_train_per_class=2, num_val=5, num_test=5).graph
    assert graph.adjacency.num_edges == 2 * 29 + 30
    assert graph.adjacency.symmetric
    assert set(graph.x.values().tolist()) == {1.0}


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("planetoid", None, "name must be one of Cora, CiteSeer, PubMed for planetoid, got None"),
        ("planetoid", "Core", "got 'Core'"),
        ("coauthor", "Cora", "name must be one of CS, Physics for coauthor, got 'Cora'"),
        ("amazon", "Cora", "name must be one of Computers, Photo for amazon, got 'Cora'"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(source, name, message):
    with pytest.raises(GraphDataError, match=message):
        GraphDataModule(source, name=name)


def test_without_a_root_the_files_are_expected_in_the_cache_folder(tmp_path):
    data = GraphDataModule("planetoid", "Cora", cache_dir=str(tmp_path), download=False)
    expected = tmp_path / "planetoid" / "Cora" / "raw"
    with pytest.raises(GraphDataError, match=f"8 files in {expected}, missing: ind.cora.x, "):
        data.prepare_data()
    with pytest.raises(GraphDataError, match=r"ind\.cora\.test\.index\. Put them there"):
        data.setup()
