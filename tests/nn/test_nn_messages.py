"""Direct and delta-sigma messages against their definitions, in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from propagations import LARGEST_MULTIPLIER, STEP_SIZE, calibrated, constrained, delta_sigma, direct
from random_graphs import RandomGraph, graphs, normal, ring_with_chords, seeds
from torch import Tensor

from qgnn_lightning.graph import Adjacency, aggregate
from qgnn_lightning.nn import DeltaSigmaMessages, Propagation, Recurrence
from qgnn_lightning.nn._fixed_point import Units
from qgnn_lightning.nn._step import receive
from qgnn_lightning.quantization import LearnedRangeQuantizer, Quantized

bits = st.integers(1, 8)
small = st.floats(-0.9, 0.9).map(lambda value: round(value, 3))
recurrences = st.builds(Recurrence, keep=small, neighbours=small, restart=small)
multipliers = st.lists(st.sampled_from([0.0, 0.3, 1.0, LARGEST_MULTIPLIER]), min_size=4, max_size=4)
undirected = st.booleans().flatmap(lambda weighted: graphs(weighted=weighted))


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance * scale)


class Dense:
    """D^-1/2 and A' of a graph, dense."""

    def __init__(self, graph: RandomGraph) -> None:
        self.sums = graph.dense()
        self.inv_sqrt_degree = self.sums.sum(1, keepdim=True) ** -0.5

    def message(self, q: Tensor) -> Tensor:
        """D^-1/2 A' q."""
        return self.inv_sqrt_degree * (self.sums @ q)


def sent_so_far(propagation: Propagation, x: Tensor, dense: Dense) -> list[Tensor]:
    """H_1 ... H_K with S, what was transmitted, and P, what the neighbours made of it."""
    a, b, e = (getattr(propagation.recurrence, n) for n in ("keep", "neighbours", "restart"))
    messages = propagation.messages
    h, s, p, results = x, torch.zeros_like(x), torch.zeros_like(x), []
    for k, multiplier in enumerate(propagation.multipliers.value.tolist()):
        q = messages.quantizers[k].fake_quantize(dense.inv_sqrt_degree * h - s)
        s, p = s + q, p + dense.message(q)
        proposed = a * h + b * p + e * x
        if multiplier:
            change = proposed - h
            second = messages.change_quantizers[k].fake_quantize(dense.inv_sqrt_degree * change)
            taken_off = change - dense.message(second)
            proposed = proposed - 2 * STEP_SIZE * multiplier * taken_off
        h = proposed
        results.append(h)
    return results


def directly(propagation: Propagation, x: Tensor, dense: Dense) -> list[Tensor]:
    """H_1 ... H_K with a message of its own for every representation."""
    a, b, e = (getattr(propagation.recurrence, n) for n in ("keep", "neighbours", "restart"))
    messages = propagation.messages
    h, results = x, []
    for k, multiplier in enumerate(propagation.multipliers.value.tolist()):
        q = messages.quantizers[k].fake_quantize(dense.inv_sqrt_degree * h)
        proposed = a * h + b * dense.message(q) + e * x
        if multiplier:
            change = proposed - h
            second = messages.change_quantizers[k].fake_quantize(dense.inv_sqrt_degree * change)
            taken_off = change - dense.message(second)
            proposed = proposed - 2 * STEP_SIZE * multiplier * taken_off
        h = proposed
        results.append(h)
    return results


# Without a share of its own a direct step is one in fixed point.
keeping = st.builds(Recurrence, keep=small.filter(bool), neighbours=small, restart=small)


@pytest.mark.parametrize(("make", "definition"), [(delta_sigma, sent_so_far), (direct, directly)])
@given(graph=undirected, seed=seeds, num_bits=bits, recurrence=keeping, strengths=multipliers)
def test_messages_equal_their_definition(
    make, definition, graph, seed, num_bits, recurrence, strengths
):
    x, adjacency = normal(seed, graph.num_nodes, 3), graph.adjacency()
    propagation = constrained(make(4, num_bits), strengths, recurrence=recurrence)
    calibrated(propagation, x, adjacency)
    expected = definition(propagation, x, Dense(graph))
    for step, h in zip(propagation.steps(x, adjacency), expected, strict=True):
        close(step.after.representation() * adjacency.sqrt_degree, h)
    close(propagation(x, adjacency), expected[-1])


@given(graph=undirected, seed=seeds, recurrence=recurrences, strengths=multipliers)
def test_both_are_the_same_at_full_precision(graph, seed, recurrence, strengths):
    x, adjacency = normal(seed, graph.num_nodes, 3), graph.adjacency()
    results = [
        constrained(make(4), strengths, recurrence=recurrence)(x, adjacency)
        for make in (direct, delta_sigma)
    ]
    close(results[1], results[0])


@given(graph=undirected, seed=seeds, num_bits=bits, recurrence=recurrences, strengths=multipliers)
def test_neighbours_miss_the_last_residual_and_nothing_else(
    graph, seed, num_bits, recurrence, strengths
):
    """P - Â H_k = -D^-1/2 A' (v - q) at every step."""
    x, adjacency, dense = normal(seed, graph.num_nodes, 3), graph.adjacency(), Dense(graph)
    propagation = constrained(delta_sigma(4, num_bits), strengths, recurrence=recurrence)
    p = torch.zeros_like(x)
    for step in calibrated(propagation, x, adjacency).steps(x, adjacency):
        p = p + dense.message(step.sent.value)
        h = step.before.representation() * adjacency.sqrt_degree
        close(p - graph.normalized() @ h, -dense.message(step.message - step.sent.value))
        close(step.message_error, step.message - step.sent.value)
        assert (step.proposal is not None) == (strengths[step.index] != 0)
        if step.proposal is not None:
            close(step.proposal_error, step.proposal - step.proposal_sent.value)


@given(graph=undirected, seed=seeds, num_bits=bits)
def test_change_of_a_step_is_the_difference_of_its_states(graph, seed, num_bits):
    x, adjacency = normal(seed, graph.num_nodes, 2), graph.adjacency()
    h = x
    for step in calibrated(constrained(delta_sigma(3, num_bits)), x, adjacency).steps(x, adjacency):
        after = step.after.representation() * adjacency.sqrt_degree
        close(step.change * adjacency.sqrt_degree, after - h)
        h = after


def unforgotten(
    propagation: Propagation, x: Tensor, adjacency: Adjacency
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Per step: z_k by the recurrence from what was sent, the stored z_k, and what was lost."""
    a, b, e = (getattr(propagation.recurrence, n) for n in ("keep", "neighbours", "restart"))
    z0 = x * adjacency.inv_sqrt_degree
    z, s, rows = z0, torch.zeros_like(z0), []
    for step in propagation.steps(x, adjacency):
        s = s + step.sent.value
        z = a * z + b * aggregate(adjacency, s) * adjacency.inv_degree + e * z0
        lost = step.after.forgotten
        rows.append((z, step.after.representation(), torch.zeros_like(z) if lost is None else lost))
    return rows


@given(
    graph=undirected,
    seed=seeds,
    num_bits=st.integers(2, 8),
    residual_bits=st.sampled_from((8, 16)),
    recurrence=recurrences,
)
def test_fixed_point_loses_what_it_may_and_all_of_it_is_known(
    graph, seed, num_bits, residual_bits, recurrence
):
    x, adjacency = normal(seed, graph.num_nodes, 3), graph.adjacency()
    propagation = constrained(delta_sigma(5, num_bits, residual_bits), recurrence=recurrence)
    calibrated(propagation, x, adjacency)
    messages, known = propagation.messages, torch.zeros_like(x)
    for step, (z, stored, lost) in zip(
        propagation.steps(x, adjacency), unforgotten(propagation, x, adjacency), strict=True
    ):
        close(stored + lost, z)
        close(step.message_error, step.message - step.sent.value + known)
        rest, exact = step.message - step.sent.value, step.after.pending + lost - known
        room = rest.abs() < 3.9 * step.sent.scale  # of 8 bits; 16 have more
        following = messages.grid_after(step.index)
        if following is not None:
            room &= exact.abs() < 16000 * Units(following).value
        limit = messages.largest_storage_error(step.index) * (1 + 1e-12) + 1e-14  # float64
        assert ((lost - known).abs()[room] <= limit).all()
        known = lost


@given(graph=graphs(), seed=seeds, num_bits=st.sampled_from((2, 4, 8)), weight=small, restart=small)
def test_direct_messages_read_the_representation_in_fixed_point(
    graph, seed, num_bits, weight, restart
):
    x, adjacency = normal(seed, graph.num_nodes, 3), graph.adjacency()
    propagation = constrained(direct(4, num_bits), recurrence=Recurrence(0.0, weight, restart))
    calibrated(propagation, x, adjacency)
    messages = propagation.messages
    coarsest = max(Units(messages.grid(k)).value for k in range(1, 4))
    for step in propagation.steps(x, adjacency):
        following = messages.grid_after(step.index)
        if following is None:
            assert torch.equal(step.after.read, step.after.z)
            continue
        unit = Units(following).value
        limit = 3.25 * unit + coarsest / 2
        share = restart * x * adjacency.inv_sqrt_degree
        parts = torch.stack([share, step.after.z - share])
        room = (parts.abs() < 16000 * unit).all(0)
        assert ((step.after.read - step.after.z).abs()[room] <= limit * (1 + 1e-12)).all()
        expected = (step.after.read / following.scale).round() + following.zero_point
        sent = messages.quantizers[step.index + 1](step.after.read)
        codes = expected.clamp(0, following.quant_max) - following.zero_point
        assert torch.equal(sent.centred, codes)


@pytest.mark.parametrize("residual_bits", [8, 16])
def test_where_the_same_codes_are_sent_the_scores_differ_by_the_storage_errors(residual_bits):
    adjacency, compared = ring_with_chords(6).adjacency(), 0
    for seed in range(20):
        x = normal(seed, 6, 1)
        stored = constrained(delta_sigma(4, 2, residual_bits))
        calibrated(stored, x, adjacency, fraction=0.99)  # few codes clipped, no residual clipped
        exact = constrained(delta_sigma(4, 2)).double()
        exact.load_state_dict(stored.state_dict())
        runs = [list(p.eval().steps(x, adjacency)) for p in (stored, exact)]
        if all(torch.equal(s.sent.centred, t.sent.centred) for s, t in zip(*runs, strict=True)):
            compared += 1
            ends = [run[-1].after.representation() for run in runs]
            close(ends[1] - ends[0], runs[0][-1].after.forgotten)
            largest = sum(stored.messages.largest_storage_error(k) for k in range(4))
            assert (ends[1] - ends[0]).abs().max() <= largest * (1 + 1e-12)
    assert compared >= 3


def test_training_stores_the_residual_as_it_is():
    adjacency, x = ring_with_chords(9).adjacency(), normal(0, 9, 2)
    runs = []
    for residual_bits in (None, 8):
        propagation = constrained(delta_sigma(4, 3, residual_bits)).double()
        runs.append(propagation(x, adjacency))
    assert torch.equal(*runs)


def test_residual_bits_are_checked():
    with pytest.raises(ValueError, match="residual_bits must be 8, 16 or None, got 4"):
        DeltaSigmaMessages([LearnedRangeQuantizer(2)], residual_bits=4)


def test_error_shrinks_with_depth_for_delta_sigma_only():
    graph = ring_with_chords(60)
    adjacency, x = graph.adjacency(), normal(1, 60, 8)
    errors = {}
    for make in (direct, delta_sigma):
        for num_steps in (4, 32):
            exact = constrained(direct(num_steps)).double()(x, adjacency)
            propagation = calibrated(constrained(make(num_steps, 2)), x, adjacency)
            errors[make, num_steps] = (propagation(x, adjacency) - exact).norm() / exact.norm()
    assert errors[delta_sigma, 32] < 0.5 * errors[delta_sigma, 4]
    assert errors[delta_sigma, 32] < 0.2 * errors[direct, 32]


@pytest.mark.parametrize("num_neighbours", [65_793, 70_001])
def test_sums_beyond_the_whole_numbers_of_float32_are_rounded_once(num_neighbours):
    nodes = torch.arange(1, num_neighbours + 1)
    edges = torch.stack([nodes, torch.zeros_like(nodes)])
    adjacency = Adjacency.from_edge_index(edges, num_neighbours + 1)
    codes = torch.full((num_neighbours + 1, 1), 255.0)
    codes[0] = 2.0
    total = 255 * num_neighbours + 2
    assert total > 2**24
    sent = Quantized(codes, torch.tensor(1.0))
    expected = torch.tensor(total).float() * adjacency.inv_degree[0]
    assert torch.equal(receive(adjacency, sent)[0], expected)


@given(graph=graphs(weighted=True, directed=True), seed=seeds)
def test_weighted_and_directed_graphs_are_weighted_sums(graph, seed):
    x, adjacency, dense = normal(seed, graph.num_nodes, 3), graph.adjacency(), Dense(graph)
    propagation = calibrated(constrained(direct(3, 4)), x, adjacency)
    close(propagation(x, adjacency), directly(propagation, x, dense)[-1])
