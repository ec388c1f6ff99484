"""Random splits: exact counts, disjoint, a function of the seed alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qgnn_lightning.data import GraphDataError, Split, random_split
from qgnn_lightning.data._splits import pack_split, unpack_split

_Y = torch.arange(100) % 4


def _masks(split: Split) -> torch.Tensor:
    return torch.stack([split.train_mask, split.val_mask, split.test_mask])


@settings(max_examples=50, deadline=None)
@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    per_class=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_counts_are_exact_and_sets_disjoint(labels, per_class, seed):
    y = torch.tensor(labels * 4 + [0, 1])
    present = y.unique()
    y = torch.cat([y, present.repeat(4)])
    rest = y.numel() - per_class * present.numel()
    num_val = rest // 3 or 1
    split = random_split(
        y, num_train_per_class=per_class, num_val=num_val, num_test=rest - num_val, seed=seed
    )
    assert torch.equal(_masks(split).sum(0), torch.ones_like(y))
    assert torch.equal(torch.bincount(y[split.train_mask]) > 0, torch.bincount(y) > 0)
    assert set(torch.bincount(y[split.train_mask]).tolist()) <= {0, per_class}
    assert int(split.val_mask.sum()) == num_val


def test_the_seed_decides_and_the_global_generator_does_not():
    counts = {"num_train_per_class": 5, "num_val": 20, "num_test": 30}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = random_split(_Y, **counts, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(_masks(random_split(_Y, **counts, seed=3)), _masks(first))
    assert not torch.equal(_masks(random_split(_Y, **counts, seed=4)), _masks(first))


def test_every_node_is_as_likely_to_be_trained_on():
    counts = {"num_train_per_class": 5, "num_val": 10, "num_test": 10}
    draws = [random_split(_Y, **counts, seed=seed).train_mask for seed in range(500)]
    share = torch.stack(draws).float().mean(0)
    # 5 of 25 nodes per class: 0.2, with the standard error sqrt(0.2 * 0.8 / 500) = 0.018.
    assert (share - 0.2).abs().max() < 5 * 0.018


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((0, 1, 1), "num_train_per_class must be at least 1, got 0"),
        ((1, 0, 1), "num_val must be at least 1, got 0"),
        ((1, 1, -2), "num_test must be at least 1, got -2"),
        (
            (26, 1, 1),
            "num_train_per_class=26 must not exceed the nodes of any class, class 0 has 25",
        ),
        (
            (20, 11, 10),
            r"the 20 nodes that are not trained on \(num_train_per_class=20\), got 11 \+ 10",
        ),
    ],
)
def test_impossible_counts_are_refused(counts, message):
    per_class, num_val, num_test = counts
    with pytest.raises(GraphDataError, match=message):
        random_split(_Y, num_train_per_class=per_class, num_val=num_val, num_test=num_test, seed=0)


def test_unknown_labels_are_in_no_part():
    unknown = torch.arange(_Y.numel()) % 4 == 0
    y = _Y.masked_fill(unknown, -1)
    counts = {"num_train_per_class": 5, "num_val": 3, "num_test": 4, "seed": 1}
    masks = _masks(random_split(y, **counts))
    assert not (masks & unknown).any()
    assert torch.equal(masks[:, ~unknown], _masks(random_split(_Y[~unknown], **counts)))


def test_labels_are_checked():
    with pytest.raises(GraphDataError, match="got -2 at node 0"):
        random_split(_Y - 2, num_train_per_class=1, num_val=1, num_test=1, seed=0)


@pytest.mark.parametrize("num_nodes", [8, 9, 100])
def test_packing_is_undone_by_unpacking(num_nodes):
    masks = torch.rand(3, num_nodes, generator=torch.Generator().manual_seed(0)) < 0.5
    packed = pack_split(Split(*masks))
    assert packed.dtype == torch.uint8
    assert packed.shape == (3, (num_nodes + 7) // 8)
    assert torch.equal(_masks(unpack_split(packed, num_nodes)), masks)
