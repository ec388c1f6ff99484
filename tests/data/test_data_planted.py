"""Random graphs: exact counts, no repeats, planted classes, a function of the seed."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qgnn_lightning.data import GraphDataError
from qgnn_lightning.data._sources import PlantedOptions
from qgnn_lightning.data._sources._planted import planted_graph
from qgnn_lightning.graph import Adjacency, aggregate

_OPTIONS = PlantedOptions(
    num_nodes=2000,
    num_edges=8000,
    num_features=16,
    num_classes=4,
    homophily=0.7,
    noise=0.6,
    seed=0,
)


@settings(max_examples=60, deadline=None)
@given(
    num_nodes=st.integers(24, 60),
    num_edges=st.integers(1, 100),
    num_classes=st.integers(2, 5),
    homophily=st.floats(0, 1),
    seed=st.integers(0, 100),
    skew=st.sampled_from([0.0, 0.5]),
)
def test_edges_are_distinct_and_as_many_as_asked_for(
    num_nodes, num_edges, num_classes, homophily, seed, skew
):
    num_edges = min(num_edges, num_nodes)
    options = PlantedOptions(num_nodes, num_edges, 3, num_classes, homophily, 1.0, seed)
    graph = planted_graph(options, skew)
    source, target = graph.edge_index
    pairs = set(zip(source.tolist(), target.tolist(), strict=True))
    assert graph.edge_index.shape == (2, 2 * num_edges)
    assert len(pairs) == 2 * num_edges
    assert pairs == {(b, a) for a, b in pairs}
    assert all(a != b for a, b in pairs)
    within = int((graph.y[source] == graph.y[target]).sum()) // 2
    assert within == round(homophily * num_edges)


@pytest.mark.parametrize("skew", [0.0, 0.5])
def test_classes_have_equal_sizes(skew):
    for num_classes in (2, 3, 7):
        sizes = torch.bincount(planted_graph(replace(_OPTIONS, num_classes=num_classes), skew).y)
        assert len(sizes) == num_classes
        assert int(sizes.max() - sizes.min()) <= 1


@pytest.mark.parametrize("skew", [0.0, 0.5])
def test_the_seed_decides_and_the_global_generator_does_not(skew):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = planted_graph(_OPTIONS, skew)
    assert torch.equal(torch.get_rng_state(), state)
    again, other = planted_graph(_OPTIONS, skew), planted_graph(replace(_OPTIONS, seed=1), skew)
    for part in ("x", "edge_index", "y"):
        assert torch.equal(getattr(first, part), getattr(again, part))
        assert not torch.equal(getattr(first, part), getattr(other, part))


def test_features_have_the_noise_and_class_means_of_length_one():
    options = replace(_OPTIONS, num_nodes=20000, num_edges=10)
    graph = planted_graph(options, 0.0)
    for label in range(4):
        members = graph.x[graph.y == label]
        # Each of the 16 coordinates of the mean has the standard error 0.6 / sqrt(5000).
        assert float(members.mean(0).norm()) == pytest.approx(1, abs=0.05)
        assert float(members.std()) == pytest.approx((0.6**2 + 1 / 16) ** 0.5, rel=0.03)


def test_without_noise_the_features_are_the_class_means():
    graph = planted_graph(replace(_OPTIONS, noise=0.0), 0.0)
    means = torch.stack([graph.x[graph.y == label][0] for label in range(4)])
    assert torch.equal(graph.x, means[graph.y])
    torch.testing.assert_close(means.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("skew", [0.0, 0.5])
def test_neighbours_help_to_tell_the_classes(skew):
    graph = planted_graph(_OPTIONS, skew)
    adjacency = Adjacency.from_edge_index(graph.edge_index, 2000)
    accuracy = []
    for x in (graph.x, aggregate(adjacency, graph.x) * adjacency.inv_degree):
        means = torch.stack([x[graph.y == label].mean(0) for label in range(4)])
        accuracy.append(float((torch.cdist(x, means).argmin(1) == graph.y).float().mean()))
    assert accuracy[0] > 0.5
    assert accuracy[1] > accuracy[0] + 0.05


def test_equal_weights_give_binomial_degrees_and_a_skew_gives_hubs():
    def degrees(skew: float) -> torch.Tensor:
        source = planted_graph(_OPTIONS, skew).edge_index[0]
        return torch.bincount(source, minlength=2000).double()

    # Mean 8; the variance of a binomial degree is close to the mean (standard error 3 %).
    assert float(degrees(0.0).var()) == pytest.approx(8, rel=0.15)
    # With the weights i ** -1/2 node i has about 2 E * i ** -1/2 / (2 sqrt(N)) edges: for the
    # first 1 % of the nodes that is sqrt(0.01) = 10 % of all, less what repeats took away.
    ordered = degrees(0.5).sort(descending=True).values
    assert 0.08 < float(ordered[:20].sum() / ordered.sum()) < 0.12
    assert int(ordered[0]) > 100


def test_hubs_are_not_the_first_nodes():
    degree = torch.bincount(planted_graph(_OPTIONS, 0.5).edge_index[0], minlength=2000)
    assert not bool((degree.argsort(descending=True)[:20] < 20).all())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_classes", 1, "num_classes must be at least 2, got 1"),
        ("num_nodes", 7, r"num_nodes must be at least 2 \* num_classes, got 7"),
        ("num_edges", 0, r"num_edges must be in \[1, 1999000\], the number of pairs, got 0"),
        ("num_edges", 1_999_001, "got 1999001"),
        ("num_features", 0, "num_features must be at least 1, got 0"),
        ("homophily", 1.1, r"homophily must be in \[0, 1\], got 1.1"),
        ("homophily", float("nan"), "got nan"),
        ("noise", -1.0, "noise must be finite and not negative, got -1.0"),
        ("noise", float("inf"), "got inf"),
    ],
)
def test_options_outside_their_range_are_refused(name, value, message):
    with pytest.raises(GraphDataError, match=message):
        replace(_OPTIONS, **{name: value})


def test_more_edges_than_pairs_within_the_classes_are_refused():
    # Two classes of 5 nodes have 20 pairs within them.
    options = PlantedOptions(10, 21, 3, 2, homophily=1.0, noise=1.0, seed=0)
    with pytest.raises(GraphDataError, match="num_edges=21 is too many for num_nodes=10"):
        planted_graph(options, 0.0)
    assert planted_graph(replace(options, num_edges=20), 0.0).edge_index.shape == (2, 40)


def test_time_grows_with_the_edges_and_not_with_the_pairs():
    options = replace(_OPTIONS, num_nodes=100_000, num_edges=200_000)
    started = time.perf_counter()
    planted_graph(options, 0.5)
    # 10 ** 10 pairs: anything quadratic would need 10 GB and minutes.
    assert time.perf_counter() - started < 10
