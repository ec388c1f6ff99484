"""The sizes of a random split, and the advice where they do not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgnn_lightning.data import GraphDataError, SplitSizes

_CLASSES = st.lists(st.integers(0, 60), min_size=1, max_size=6)
_SIZES = st.builds(SplitSizes, st.integers(1, 30), st.integers(1, 40), st.integers(1, 40))


@given(_CLASSES, st.integers(1, 30))
def test_fitting_sizes_fit_and_there_are_none_where_nothing_fits(class_sizes, most):
    fitting = SplitSizes.fitting(class_sizes, most)
    num_classes = sum(size > 0 for size in class_sizes)
    assert (fitting is None) == (sum(class_sizes) < num_classes + 2)
    if fitting is not None:
        fitting.check(class_sizes)
        assert fitting.num_train_per_class <= most


@given(_CLASSES, _SIZES)
def test_what_does_not_fit_is_answered_with_all_sizes_at_once(class_sizes, sizes):
    fitting = SplitSizes.fitting(class_sizes, sizes.num_train_per_class)
    enough = [size >= sizes.num_train_per_class for size in class_sizes if size]
    rest = sum(class_sizes) - sizes.num_train_per_class * len(enough)
    if all(enough) and sizes.num_val + sizes.num_test <= rest:
        sizes.check(class_sizes)
        assert sizes.advice(class_sizes) == "add --data.split random"
        return
    with pytest.raises(GraphDataError) as caught:
        sizes.check(class_sizes)
    hint = "too few to draw a split" if fitting is None else f": for example {fitting.options}"
    assert str(caught.value).endswith(hint)


def test_a_graph_without_a_split_is_told_everything_that_is_missing():
    sizes = SplitSizes(20, 500, 1000)
    assert sizes.advice([800, 0, 800]) == "add --data.split random"
    assert sizes.advice([12, 0, 13]) == (
        "add --data.split random --data.num_train_per_class 6 --data.num_val 3 --data.num_test 6"
    )
    assert sizes.advice([1, 2]) == "3 nodes with a label are too few to draw a split"


@pytest.mark.parametrize("name", ["num_train_per_class", "num_val", "num_test"])
def test_sizes_begin_at_one(name):
    sizes = {"num_train_per_class": 1, "num_val": 1, "num_test": 1, name: 0}
    with pytest.raises(GraphDataError, match=f"{name} must be at least 1, got 0"):
        SplitSizes(**sizes).check([9])
