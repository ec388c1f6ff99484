from __future__ import annotations

import pytest
import torch

from qgnn_lightning.bench import GRAPHS, memory_bandwidth, random_graph
from qgnn_lightning.bench._memory import extra_peak


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize(("num_nodes", "num_edges"), [(2, 1), (9, 18), (300, 1000)])
def test_a_graph_has_exactly_the_edges_asked_for(kind, num_nodes, num_edges):
    adjacency = random_graph(kind, num_nodes, num_edges, seed=3)
    assert adjacency.num_nodes == num_nodes
    assert adjacency.num_edges == 2 * num_edges + num_nodes
    assert adjacency.symmetric


def test_the_seed_decides_the_graph():
    graphs = [random_graph("uniform", 100, 300, seed) for seed in (0, 0, 1)]
    assert torch.equal(graphs[0].col, graphs[1].col)
    assert not torch.equal(graphs[0].col, graphs[2].col)


def test_a_power_law_has_hubs_and_they_are_anywhere():
    uniform, skewed = (random_graph(kind, 2000, 10_000) for kind in GRAPHS)
    assert skewed.max_count > 3 * uniform.max_count
    hubs = skewed.degree.topk(20).indices
    assert hubs.max() > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ring", 5, 3), "graph must be one of"),
        (("uniform", 1, 1), "num_nodes must be at least 2, got 1"),
        (("uniform", 10, 0), "num_edges must be in 1..22, half of the pairs of 10 nodes, got 0"),
        (("uniform", 10, 23), "got 23"),
    ],
)
def test_wrong_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_graph(*arguments)


def test_the_peak_counts_what_a_call_adds():
    num_bytes = 1 << 26

    def run():
        return torch.ones(num_bytes // 4)

    result, peak = extra_peak(run)
    assert result.numel() == num_bytes // 4
    if peak is None:
        pytest.skip("this system does not tell the peak memory")
    assert 0.9 * num_bytes <= peak <= 1.5 * num_bytes


def test_bandwidth_is_a_rate():
    assert memory_bandwidth(10_000, repeats=1) > 0
