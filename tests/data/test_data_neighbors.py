"""Batches of training nodes with the nodes drawn around them."""

from __future__ import annotations

import pytest
import torch
from random_graphs import labelled_ring

from qgnn_lightning.data import GraphBatch, GraphDataError, GraphDataModule
from qgnn_lightning.data._neighbor_loader import (
    NeighborLoader,
    NeighborOptions,
    SeedSampler,
    sample_neighborhood,
)
from qgnn_lightning.lightning_module import NodeClassifier


@pytest.fixture
def graph() -> GraphBatch:
    return labelled_ring()


def _loader(graph: GraphBatch, hops: int, neighbors: int, per_batch: int = 7) -> NeighborLoader:
    options = NeighborOptions(per_batch, hops, neighbors, 0)
    train = graph.train_mask.nonzero().flatten()
    return NeighborLoader(graph, options, SeedSampler(train, options))


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_with_all_neighbours_the_seeds_have_the_scores_of_the_whole_graph(graph, hops):
    model = NodeClassifier(
        bits="float32", num_steps=hops, hidden_features=8, num_features=4, num_classes=5
    ).eval()
    with torch.no_grad():
        whole = model(graph.x, graph.adjacency)
        for batch in _loader(graph, hops, 60):
            assert 0 < batch.num_nodes < 60 or hops > 1
            scores = model(batch.x, batch.adjacency)
            seeds = batch.train_mask
            torch.testing.assert_close(scores[seeds], whole[batch.node_ids[seeds]])


def test_nodes_are_within_the_hops_and_not_more_than_are_drawn(graph):
    reachable = graph.adjacency.matrix(torch.float32).to_dense().matrix_power(2) > 0
    sizes = {}
    for neighbors in (1, 2, 60):
        options = NeighborOptions(7, 2, neighbors, 0)
        for seed in range(0, 60, 7):
            draw = torch.Generator().manual_seed(seed)
            nodes = sample_neighborhood(graph.adjacency, torch.tensor([seed]), options, draw)
            assert torch.equal(nodes, nodes.unique())
            assert seed in nodes.tolist()
            assert bool(reachable[seed, nodes].all())
            assert nodes.numel() <= 1 + neighbors + neighbors**2
            sizes[neighbors] = nodes.numel()
    assert sizes[60] == int(reachable[56].sum()) > sizes[1]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_an_epoch_has_every_training_node_once_over_all_processes(graph, world_size):
    options = NeighborOptions(4, 1, 2, 0)
    train = graph.train_mask.nonzero().flatten()
    samplers = [SeedSampler(train, options, rank, world_size) for rank in range(world_size)]
    orders = []
    for epoch in range(2):
        for sampler in samplers:
            sampler.set_epoch(epoch)
        batches = [list(sampler) for sampler in samplers]
        assert len({len(one) for one in batches}) == 1 == len({len(s) for s in samplers})
        orders.append([node for one in batches for batch in one for node in batch.tolist()])
        assert sorted(orders[-1]) == train.tolist()
    assert orders[0] != orders[1]


def test_a_batch_trains_its_seeds_alone_and_keeps_the_degrees_of_the_whole(graph):
    trained = []
    for batch in _loader(graph, 2, 2):
        assert torch.equal(batch.adjacency.degree, graph.adjacency.degree[batch.node_ids])
        matrix = graph.adjacency.matrix(torch.float32).to_dense()
        expected = matrix[batch.node_ids][:, batch.node_ids]
        assert torch.equal(batch.adjacency.matrix(torch.float32).to_dense(), expected)
        trained += batch.node_ids[batch.train_mask].tolist()
    assert sorted(trained) == graph.train_mask.nonzero().flatten().tolist()


def test_an_epoch_is_the_same_again_and_the_next_is_another(graph):
    loader = _loader(graph, 2, 2)
    first, again = ([batch.node_ids.tolist() for batch in loader] for _ in range(2))
    loader.sampler.set_epoch(1)
    assert first == again != [batch.node_ids.tolist() for batch in loader]


def test_the_data_module_trains_on_neighbourhoods_and_evaluates_on_the_whole(graph):
    data = GraphDataModule.from_graph(
        graph, batching="neighbors", seeds_per_batch=5, num_hops=1, num_neighbors=2
    )
    data.setup("fit")
    loader = data.train_dataloader()
    assert len(loader) == 4
    assert all(batch.num_nodes < 60 for batch in loader)
    assert list(data.val_dataloader()) == [graph]


@pytest.mark.parametrize("name", ["seeds_per_batch", "num_hops", "num_neighbors"])
def test_wrong_options_are_refused_when_made(name):
    with pytest.raises(GraphDataError, match=f"{name} must be at least 1, got 0"):
        GraphDataModule(batching="neighbors", **{name: 0})


def test_more_devices_than_training_nodes(graph):
    with pytest.raises(GraphDataError, match="each of the 3 devices needs a training node, got 2"):
        SeedSampler(torch.arange(2), NeighborOptions(1, 1, 1, 0), 0, 3)
