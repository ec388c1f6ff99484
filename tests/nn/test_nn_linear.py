"""The quantized linear layer: exact products, sparse and dense alike, dropout after quantizing."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import normal, seeds
from torch import Tensor, nn

from qgnn_lightning.graph import sparse_csr
from qgnn_lightning.nn import QuantizedLinear
from qgnn_lightning.nn._scaled_linear import scaled_linear
from qgnn_lightning.nn._sparse import SparsePattern, sparse_product
from qgnn_lightning.quantization import (
    BitwiseTruncationQuantizer,
    IdentityQuantizer,
    LearnedRangeQuantizer,
    MinMaxQuantizer,
    Quantizer,
)


def sparse_features(seed: int, rows: int, columns: int, dtype=torch.float64) -> Tensor:
    """Dense, a third of the entries non-zero, the first row and column empty."""
    x = normal(seed, rows, columns, dtype=dtype)
    x[normal(seed + 1, rows, columns) < 0.4] = 0
    x[0], x[:, 0] = 0, 0
    return x


def as_csr(x: Tensor) -> Tensor:
    row, col = x.nonzero(as_tuple=True)
    count = torch.bincount(row, minlength=x.shape[0])
    rowptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
    return sparse_csr(rowptr, col, x[row, col], tuple(x.shape))


def layer(
    in_features: int,
    out_features: int,
    input_quantizer: Quantizer | None = None,
    weight_quantizer: Quantizer | None = None,
    dropout: float = 0.0,
) -> QuantizedLinear:
    torch.manual_seed(0)
    return QuantizedLinear(
        in_features,
        out_features,
        input_quantizer or IdentityQuantizer(),
        weight_quantizer or IdentityQuantizer(),
        dropout,
    )


QUANTIZERS = {
    "full precision": (lambda: (None, None)),
    "per tensor": lambda: (LearnedRangeQuantizer(4), LearnedRangeQuantizer(4)),
    "per channel": lambda: (LearnedRangeQuantizer(8), LearnedRangeQuantizer(2, num_channels=5)),
    "input alone": lambda: (LearnedRangeQuantizer(2), None),
    "weight alone": lambda: (None, LearnedRangeQuantizer(3, num_channels=5)),
    "min-max": lambda: (MinMaxQuantizer(5), MinMaxQuantizer(8)),
}
every_quantizer = pytest.mark.parametrize("make", QUANTIZERS.values(), ids=QUANTIZERS)


@every_quantizer
@settings(max_examples=8)
@given(seed=seeds)
def test_values_are_those_of_the_fake_quantized_operands(make, seed):
    linear = layer(7, 5, *make()).double()
    x = normal(seed, 6, 7)
    linear(x)
    linear.eval()
    expected = nn.functional.linear(
        linear.input_quantizer.fake_quantize(x),
        linear.weight_quantizer.fake_quantize(linear.weight),
        linear.bias,
    )
    torch.testing.assert_close(linear(x), expected, rtol=1e-12, atol=1e-12)


@every_quantizer
@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=8)
@given(seed=seeds)
def test_sparse_and_dense_features_give_the_same_values_and_gradients(make, training, seed):
    x = sparse_features(seed, 6, 7)
    weight, results = normal(seed + 2, 6, 5), []
    calibrated = layer(7, 5, *make()).double()
    calibrated(x)
    for features in (x, as_csr(x)):
        linear = copy.deepcopy(calibrated).train(training)
        output = linear(features)
        (output * weight).sum().backward()
        results.append((output, dict(linear.named_parameters())))
    (dense, dense_parameters), (sparse, sparse_parameters) = results
    torch.testing.assert_close(sparse, dense, rtol=1e-12, atol=1e-12)
    for name, parameter in sparse_parameters.items():
        gradient = dense_parameters[name].grad
        if name == "input_quantizer.fraction.alpha":
            # Scaled by 1 / sqrt(number of elements), and only the entries are elements.
            gradient = gradient * (x.numel() / int(x.count_nonzero())) ** 0.5
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (1, 3)])
@pytest.mark.parametrize("with_bias", [True, False])
@given(seed=seeds)
def test_scaled_linear_has_the_gradients_of_its_formula(seed, shape, with_bias):
    sizes = [(4, 6), (3, 6), shape, (3,)]
    inputs = [normal(seed + i, *size).requires_grad_() for i, size in enumerate(sizes)]
    codes, weight, scale, bias = inputs if with_bias else [*inputs[:3], None]
    actual = scaled_linear(codes, weight, scale, bias, double=False)
    expected = codes @ weight.t() * scale + (0 if bias is None else bias)
    used = inputs if with_bias else inputs[:3]
    by = normal(seed + 9, 4, 3)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(actual, used, by), torch.autograd.grad(expected, used, by)
    )


@given(seeds)
def test_ranges_of_sparse_and_dense_features_are_the_same(seed):
    x, states = sparse_features(seed, 6, 7), []
    for features in (x, as_csr(x)):
        linear = layer(7, 5, MinMaxQuantizer(8)).double()
        linear(features)
        linear(2 * features)
        states.append(linear.input_quantizer.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())


def test_two_matrices_are_never_taken_for_each_other():
    """Same columns in the same memory, other rows; same shape, other columns."""
    col, values = torch.tensor([0, 1]), torch.tensor([1.0, 2.0])
    linear = layer(3, 2)
    for rowptr in ([0, 1, 2], [0, 2, 2], [0, 0, 2]):
        x = sparse_csr(torch.tensor(rowptr), col, values, (2, 3))
        torch.testing.assert_close(linear(x), linear(x.to_dense()))
    for position in range(3):
        x = sparse_csr(torch.tensor([0, 1, 1]), torch.tensor([position]), values[:1], (2, 3))
        torch.testing.assert_close(linear(x), linear(x.to_dense()))


def test_structural_zeros_stay_zero_where_zero_is_no_level():
    """Bitwise truncation of a dense zero is not zero; of no entry, it is nothing."""
    quantizer = BitwiseTruncationQuantizer()
    linear = layer(4, 3, quantizer)
    x = torch.tensor([[1.0, 0, -0.4, 0], [0, 0, 0, 0]])
    linear(as_csr(x))
    linear.eval()
    assert quantizer.fake_quantize(torch.zeros(1)) != 0
    assert torch.equal(linear(as_csr(x))[1], linear.bias)


def integer_product(linear: QuantizedLinear, x: Tensor) -> tuple[Tensor, Tensor]:
    """The exact sums in int64, and the scores they stand for, rounded as the contract says."""
    with torch.no_grad():
        features, weight = linear.input_quantizer(x), linear.weight_quantizer(linear.weight)
        total = features.centred.long() @ weight.centred.long().t()
        scale = features.scale * (weight.scale.t() if weight.scale.dim() else weight.scale)
        return total, total.float() * scale + linear.bias


INTEGER = {
    "2 bits": lambda: (LearnedRangeQuantizer(2), LearnedRangeQuantizer(2, num_channels=6)),
    "4 bits": lambda: (LearnedRangeQuantizer(4), LearnedRangeQuantizer(4)),
    "8 bits": lambda: (MinMaxQuantizer(8), MinMaxQuantizer(8, num_channels=6)),
    "truncated": lambda: (BitwiseTruncationQuantizer(), BitwiseTruncationQuantizer()),
}


@pytest.mark.parametrize("make", INTEGER.values(), ids=INTEGER)
@pytest.mark.parametrize("in_features", [16, 2500])
def test_evaluation_is_an_exact_product_of_whole_numbers(make, in_features):
    linear = layer(in_features, 6, *make())
    with torch.no_grad():
        linear.weight.abs_()  # all of one sign, so that the sums grow large
    x = normal(0, 9, in_features, dtype=torch.float32).abs() + 1
    linear(x)
    linear.eval()
    total, expected = integer_product(linear, x)
    assert torch.equal(linear(x), expected)
    assert torch.equal(linear(as_csr(x)), expected)
    if make in (INTEGER["8 bits"], INTEGER["truncated"]) and in_features == 2500:
        assert total.max() > 2**24  # float32 alone would not do
        assert not torch.equal(total.float().long(), total)


def test_sparse_rows_are_as_long_as_their_entries():
    """Few entries of many features: no sum can leave the whole numbers of float32."""
    linear = layer(100_000, 2, MinMaxQuantizer(8), MinMaxQuantizer(8))
    x = sparse_csr(
        torch.tensor([0, 2, 3]),
        torch.tensor([5, 99_999, 7]),
        torch.tensor([1.0, -2.0, 0.5]),
        (2, 100_000),
    )
    linear(x)
    dense = x.to_dense()
    assert torch.equal(linear.eval()(x), integer_product(linear, dense)[1])


@settings(max_examples=8)
@given(seeds, st.floats(0.1, 0.9))
def test_ranges_do_not_see_dropout(seed, dropout):
    x = normal(seed, 6, 7)
    states = []
    for probability in (0.0, dropout):
        linear = layer(7, 5, LearnedRangeQuantizer(4), LearnedRangeQuantizer(4), probability)
        linear.double()
        for scale in (1, 3):
            linear(scale * x)
        states.append(linear.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())


@pytest.mark.parametrize("sparse", [False, True])
def test_dropout_takes_away_quantized_features_and_scales_the_others(sparse):
    x = sparse_features(0, 40, 8).abs()
    linear = layer(8, 8, MinMaxQuantizer(4), dropout=0.75).double()
    with torch.no_grad():
        linear.weight.copy_(torch.eye(8))
        linear.bias.zero_()
    output = linear(as_csr(x) if sparse else x)
    kept = 4 * linear.input_quantizer.eval().fake_quantize(x)
    torch.testing.assert_close(output, torch.where(output == 0, 0, kept))
    dropped = ((output == 0) & (kept != 0)).sum() / (kept != 0).sum()
    assert 0.5 < dropped < 0.95
    linear.eval()
    torch.testing.assert_close(linear(as_csr(x) if sparse else x), kept / 4)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_outside_its_range(dropout):
    with pytest.raises(ValueError, match=rf"dropout must be in \[0, 1\), got {dropout}"):
        layer(2, 2, dropout=dropout)


def test_starts_as_torch_does():
    torch.manual_seed(0)
    expected = nn.Linear(7, 5)
    linear = layer(7, 5)
    assert torch.equal(linear.weight, expected.weight)
    assert torch.equal(linear.bias, expected.bias)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sparse_product_has_the_gradients_of_finite_differences_or_of_the_dense_one(dtype):
    x = sparse_features(0, 5, 6, dtype)
    csr = as_csr(x)
    pattern = SparsePattern.of(csr)
    values = csr.values().clone().requires_grad_()
    dense = normal(3, 6, 4, dtype=dtype).requires_grad_()
    weight = normal(4, 5, 4, dtype=dtype)
    product = sparse_product(values, pattern, dense)
    actual = torch.autograd.grad((product * weight).sum(), [values, dense])
    row, col = x.nonzero(as_tuple=True)
    torch.testing.assert_close(actual[0], (weight @ dense.detach().t())[row, col])
    torch.testing.assert_close(actual[1], x.t() @ weight)
    if dtype == torch.float64:
        assert torch.autograd.gradcheck(lambda v, d: sparse_product(v, pattern, d), (values, dense))


def test_int32_indices():
    x = sparse_features(0, 5, 6, torch.float32)
    csr = as_csr(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        narrow = torch.sparse_csr_tensor(
            csr.crow_indices().int(), csr.col_indices().int(), csr.values(), csr.shape
        )
    linear = layer(6, 3, LearnedRangeQuantizer(4))
    linear(narrow).sum().backward()
    torch.testing.assert_close(linear(narrow), linear(x))
