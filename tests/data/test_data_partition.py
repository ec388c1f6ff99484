"""Partitions: every node in one part, every part once per epoch, on the disk for the next run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from random_graphs import labelled_ring

from qgnn_lightning.data import GraphBatch, GraphDataError, GraphDataModule
from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._partition import (
    MetisPartitioner,
    PartitionOptions,
    RandomPartitioner,
    partition,
)
from qgnn_lightning.data._partition_loader import PartitionLoader, PartitionSampler
from qgnn_lightning.graph import Adjacency


def _options(parts: int = 6, per_batch: int = 2, how: str = "random") -> PartitionOptions:
    return PartitionOptions(parts, per_batch, how, 0)  # type: ignore[arg-type]


@pytest.fixture
def graph() -> GraphBatch:
    return labelled_ring()


def _cliques() -> Adjacency:
    """Four cliques of five nodes in a circle, one edge from each to the next."""
    edges = [(5 * c + i, 5 * c + j) for c in range(4) for i in range(5) for j in range(5)]
    edges += [(5 * c, (5 * c + 5) % 20) for c in range(4)]
    edges += [(b, a) for a, b in edges]
    return Adjacency.from_edge_index(torch.tensor(edges).t(), 20)


@pytest.mark.parametrize("how", ["metis", "random"])
def test_every_node_is_in_one_part(graph, tmp_path, how):
    if how == "metis":
        pytest.importorskip("pymetis")
    parts = partition(graph.adjacency, _options(how=how), tmp_path)
    assert len(parts) == 6
    assert torch.cat(parts).sort().values.tolist() == list(range(60))
    assert all(torch.equal(part, part.sort().values) for part in parts)


def test_metis_cuts_between_cliques(tmp_path):
    pytest.importorskip("pymetis")
    parts = partition(_cliques(), _options(4, 1, "metis"), tmp_path)
    assert sorted(part.tolist() for part in parts) == [
        list(range(5 * c, 5 * c + 5)) for c in range(4)
    ]


def test_a_directed_graph_is_cut_as_an_undirected_one(tmp_path):
    pytest.importorskip("pymetis")
    whole = _cliques()
    upper = whole.row <= whole.col
    directed = Adjacency.from_edge_index(torch.stack([whole.row, whole.col])[:, upper], 20)
    assert not directed.symmetric
    found = MetisPartitioner().assign(directed, 4)
    assert torch.equal(found, MetisPartitioner().assign(whole, 4))


def test_parts_are_kept_on_the_disk_by_graph_and_options(graph, tmp_path, monkeypatch):
    first = partition(graph.adjacency, _options(), tmp_path)
    (file,) = (tmp_path / "partitions").iterdir()
    assert file.name.startswith("random0-6-")

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(RandomPartitioner, "assign", never)
        again = partition(graph.adjacency, _options(), tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    partition(graph.adjacency, _options(5), tmp_path)
    partition(_cliques(), _options(), tmp_path)
    assert len(list((tmp_path / "partitions").iterdir())) == 3
    file.write_bytes(b"damaged")
    repaired = partition(graph.adjacency, _options(), tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(first, repaired, strict=True))


def test_without_pymetis_auto_is_random_and_says_so(graph, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "pymetis", None)
    monkeypatch.setattr("qgnn_lightning.data._partition.find_spec", lambda _: None)
    with pytest.raises(GraphDataError, match=r"needs pymetis: pip install 'qgnn-lightning\[part"):
        partition(graph.adjacency, _options(how="metis"), tmp_path)
    partition(graph.adjacency, _options(how="auto"), tmp_path)
    assert "partitions are random" in caplog.text
    assert [path.name[:6] for path in (tmp_path / "partitions").iterdir()] == ["random"]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("per_batch", [1, 2, 4])
def test_an_epoch_has_every_part_once_over_all_processes(world_size, per_batch):
    options = _options(12, per_batch)
    samplers = [PartitionSampler(options, rank, world_size) for rank in range(world_size)]
    orders = []
    for epoch in range(2):
        for sampler in samplers:
            sampler.set_epoch(epoch)
        batches = [list(sampler) for sampler in samplers]
        assert len({len(one) for one in batches}) == 1
        assert [len(one) for one in batches] == [len(sampler) for sampler in samplers]
        assert all(1 <= len(batch) <= per_batch for one in batches for batch in one)
        order = [number for one in batches for batch in one for number in batch]
        assert sorted(order) == list(range(12))
        orders.append(order)
    assert orders[0] != orders[1]


def test_parts_that_cannot_be_dealt_out_evenly_are_refused():
    with pytest.raises(GraphDataError, match="must be a multiple of the 4 devices, got 6"):
        PartitionSampler(_options(6), 0, 4)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_batch_is_the_union_of_its_parts_with_the_edges_between_them(graph, tmp_path, sparse):
    if sparse:
        thin = graph.x * (torch.arange(240).view(60, 4) % 31 == 0)
        graph = GraphBatch(**{**vars(graph), "x": sparsify(thin)})
        assert graph.x.layout == torch.sparse_csr
    parts = partition(graph.adjacency, _options(), tmp_path)
    loader = PartitionLoader(graph, parts, PartitionSampler(_options()))
    assert len(loader) == 3
    dense_x = graph.x.to_dense() if sparse else graph.x
    matrix = graph.adjacency.matrix(torch.float32).to_dense()
    for numbers, batch in zip(loader.sampler, loader, strict=True):
        nodes = torch.cat([parts[number] for number in numbers]).sort().values
        assert torch.equal(batch.node_ids, nodes)
        assert torch.equal(batch.x.to_dense() if sparse else batch.x, dense_x[nodes])
        found = batch.adjacency.matrix(torch.float32).to_dense()
        assert torch.equal(found, matrix[nodes][:, nodes])
        assert torch.equal(batch.adjacency.degree, graph.adjacency.degree[nodes])
        assert torch.equal(batch.y, graph.y[nodes])
        for split in ("train", "val", "test"):
            assert torch.equal(batch.mask(split), graph.mask(split)[nodes])


def test_the_data_module_trains_on_parts_and_evaluates_on_the_whole(graph, tmp_path):
    data = GraphDataModule.from_graph(
        graph,
        batching="partitions",
        num_partitions=6,
        partitions_per_batch=2,
        cache_dir=str(tmp_path),
    )
    data.setup("test")
    assert not any(tmp_path.iterdir())
    data.setup("fit")
    loader = data.train_dataloader()
    assert sum(int(batch.train_mask.sum()) for batch in loader) == int(graph.train_mask.sum())
    for whole in (data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        assert list(whole) == [graph]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_partitions": 1}, "num_partitions must be at least 2, got 1"),
        (
            {"num_partitions": 4, "partitions_per_batch": 5},
            r"partitions_per_batch must be in \[1, num_partitions=4\], got 5",
        ),
        ({"steps_per_epoch": 2}, "steps_per_epoch must be 1 with batching 'partitions', got 2"),
    ],
)
def test_wrong_options_are_refused_when_made(options, message):
    with pytest.raises(GraphDataError, match=message):
        GraphDataModule(batching="partitions", **options)


def test_other_wrong_options(graph, tmp_path: Path):
    with pytest.raises(
        GraphDataError, match="must be 'full', 'partitions' or 'neighbors', got 'mini'"
    ):
        GraphDataModule(batching="mini")  # type: ignore[arg-type]
    with pytest.raises(GraphDataError, match="must not exceed the 60 nodes, got 61"):
        partition(graph.adjacency, _options(61), tmp_path)
    with pytest.raises(GraphDataError, match="partitioner must be auto, metis or random, got 'x'"):
        partition(graph.adjacency, _options(how="x"), tmp_path)
