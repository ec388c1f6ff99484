"""Sizes of columns, against loops; and what four bits make of a column that is too small."""

from __future__ import annotations

import pytest
import torch

from qgnn_lightning.data import ColumnSizes, column_sizes
from qgnn_lightning.data._features import sparsify


def test_dense_and_sparse_columns_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 31, generator=generator) * torch.logspace(-2, 2, 31)
    x[torch.rand(50, 31, generator=generator) > 0.04] = 0
    sizes = sorted(max(abs(float(one)) for one in column) for column in x.T if column.any())
    largest = [max(abs(float(one)) for one in column) for column in x.T].index(sizes[-1])
    expected = ColumnSizes(sizes[-1], sizes[(len(sizes) - 1) // 2], largest)
    assert sparsify(x).layout == torch.sparse_csr
    assert column_sizes(x) == column_sizes(sparsify(x)) == expected


def test_features_that_are_all_zero_are_even():
    assert column_sizes(torch.zeros(3, 2)) == ColumnSizes(0, 0, constant=True)
    assert not ColumnSizes(0, 0).uneven


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [2.0, 0.0, -1.0], [0.0, 0.0, 3.0]])
def test_features_are_constant_until_one_node_differs(row):
    x = torch.tensor([row]).repeat(5, 1)
    assert column_sizes(x).constant
    assert column_sizes(x.to_sparse_csr()).constant
    for column in range(3):
        other = x.clone()
        other[3, column] = 1 - other[3, column]
        assert not column_sizes(other).constant
        assert not column_sizes(other.to_sparse_csr()).constant


def test_the_largest_column_is_named_and_huge_from_a_billion_on():
    sizes = column_sizes(torch.tensor([[0.0, 1.0, -2e9]]))
    assert (sizes.largest, sizes.largest_column, sizes.huge) == (2e9, 2, True)
    assert not column_sizes(torch.tensor([[0.0, 9e8]])).huge


@pytest.mark.parametrize(("most", "uneven"), [(29.9, False), (30.1, True)])
def test_uneven_is_what_four_bits_round_to_zero(most, uneven):
    sizes = column_sizes(torch.tensor([[most, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    assert sizes.uneven == uneven
    assert (round(1.0 / (most / 15)) == 0) == uneven
