"""What a quantizer remembers: written in training, read in evaluation."""

from __future__ import annotations

import copy

import pytest
import torch
from random_graphs import normal

from qgnn_lightning.quantization import (
    PRESETS,
    BitwiseTruncationQuantizer,
    DegreeQuantQuantizer,
    FrozenQuantizer,
    IdentityQuantizer,
    LearnedRangeQuantizer,
    LearnedStepQuantizer,
    LeastSquaresQuantizer,
    MinMaxQuantizer,
    Precision,
    make_quantizer,
)

MAKERS = {
    "learned_range": lambda: LearnedRangeQuantizer(4),
    "per_channel": lambda: LearnedRangeQuantizer(4, num_channels=6),
    "least_squares": lambda: make_quantizer("least_squares", 4),
    "least_squares_per_channel": lambda: make_quantizer("least_squares", 4, num_channels=6),
    "min_max": lambda: MinMaxQuantizer(4),
    "lsq": lambda: make_quantizer("lsq", 4),
    "lsq_per_channel": lambda: make_quantizer("lsq", 4, num_channels=6),
    "degree_quant": lambda: make_quantizer("degree_quant", 4),
    "degree_quant_per_channel": lambda: make_quantizer("degree_quant", 4, num_channels=6),
    "bitwise_truncation": lambda: BitwiseTruncationQuantizer(),
    "skewness_truncation": lambda: BitwiseTruncationQuantizer(skewness_aware=True),
}


@pytest.fixture(params=MAKERS)
def quantizer(request):
    return MAKERS[request.param]()


def x(seed: int) -> torch.Tensor:
    return normal(seed, 6, 9, dtype=torch.float32).exp()


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_evaluation_before_calibration_says_what_to_do(quantizer):
    quantizer.eval()
    for call in (lambda: quantizer(x(0)), quantizer.grid):
        with pytest.raises(RuntimeError, match="no range yet: run the network once in training"):
            call()


def test_evaluation_writes_nothing(quantizer):
    quantizer(x(0))
    before = snapshot(quantizer.eval())
    quantizer(100 * x(1))
    assert same(before, snapshot(quantizer))


def test_grid_alone_gives_the_same_codes(quantizer):
    for seed in range(3):
        quantizer(x(seed))
    grid, quantized = quantizer.eval().grid(), quantizer(x(9))
    assert grid.num_bits == quantizer.num_bits
    assert torch.equal(grid.centred_codes(x(9)), quantized.centred)
    codes = grid.codes(x(9))
    assert codes.dtype == torch.uint8
    assert codes.max() <= grid.quant_max
    assert torch.equal(grid.stride * codes - grid.zero_point, quantized.centred)
    assert torch.equal((grid.stride * codes - grid.zero_point) * grid.scale, quantized.value)


def test_frozen_quantizer_does_the_same_for_good(quantizer):
    quantizer(x(0))
    frozen = FrozenQuantizer(quantizer.eval().grid())
    expected = quantizer.fake_quantize(x(1))
    assert frozen.num_bits == quantizer.num_bits
    for training in (True, False):
        assert torch.equal(frozen.train(training).fake_quantize(x(1)), expected)
        assert frozen.observe(100 * x(2)) is None
    assert torch.equal(frozen.grid().levels, quantizer.grid().levels)


def test_observing_tracks_as_a_training_call_does(quantizer):
    watching = copy.deepcopy(quantizer)
    for seed in range(3):
        quantizer(x(seed))
        assert watching.observe(x(seed)) is None
    assert same(snapshot(quantizer), snapshot(watching))


def test_state_restores_the_quantizer(quantizer):
    quantizer(x(0))
    fresh = copy.deepcopy(quantizer)
    for module in fresh.modules():
        if hasattr(module, "initialized"):
            module.initialized.fill_(False)
    fresh.load_state_dict(quantizer.state_dict())
    assert torch.equal(fresh.eval().fake_quantize(x(1)), quantizer.eval().fake_quantize(x(1)))


def test_range_is_a_moving_average_that_starts_at_the_first_range_and_includes_zero():
    quantizer = MinMaxQuantizer(8, momentum=0.25)
    low, high = None, None
    for values in ([1.0, 2.0], [-4.0, 6.0], [-1.0, -0.5]):
        quantizer(torch.tensor(values))
        new_low, new_high = min(*values, 0), max(*values, 0)
        low = new_low if low is None else low + 0.25 * (new_low - low)
        high = new_high if high is None else high + 0.25 * (new_high - high)
        assert quantizer.range.minimum.item() == pytest.approx(low, rel=1e-6)
        assert quantizer.range.maximum.item() == pytest.approx(high, rel=1e-6)


@pytest.mark.parametrize("momentum", [0.0, -0.1, 1.1])
def test_momentum_outside_its_range(momentum):
    with pytest.raises(ValueError, match=rf"momentum must be in \(0, 1\], got {momentum}"):
        MinMaxQuantizer(4, momentum=momentum)


def test_identity_is_the_identity():
    quantizer = IdentityQuantizer()
    quantized = quantizer(x(0))
    assert quantized.scale is None
    assert torch.equal(quantized.value, x(0))
    assert quantizer.grid() is None
    assert quantizer.num_bits == 32
    assert not quantizer.state_dict()


@pytest.mark.parametrize(
    "name", ["least_squares", "learned_range", "min_max", "bitwise_truncation"]
)
def test_thirty_two_bits_of_any_quantizer_are_the_identity(name):
    assert isinstance(make_quantizer(name, 32), IdentityQuantizer)


@pytest.mark.parametrize(
    ("name", "num_bits", "expected"),
    [
        ("least_squares", 2, LeastSquaresQuantizer),
        ("learned_range", 2, LearnedRangeQuantizer),
        ("min_max", 2, MinMaxQuantizer),
        ("lsq", 2, LearnedStepQuantizer),
        ("degree_quant", 2, DegreeQuantQuantizer),
        ("bitwise_truncation", 2, BitwiseTruncationQuantizer),
        ("skewness_truncation", 2, BitwiseTruncationQuantizer),
        ("bitwise_truncation", 4, LearnedRangeQuantizer),
        ("skewness_truncation", 8, LearnedRangeQuantizer),
    ],
)
def test_names_of_the_quantizers(name, num_bits, expected):
    quantizer = make_quantizer(name, num_bits)
    assert type(quantizer) is expected
    assert quantizer.num_bits == num_bits
    if expected is BitwiseTruncationQuantizer:
        assert quantizer.skewness_aware == (name == "skewness_truncation")


def test_unknown_quantizer_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"quantizer must be one of .*'min_max'.*, got 'nope'"):
        make_quantizer("nope", 4)


@pytest.mark.parametrize("num_bits", [0, 9, 16, -1])
def test_bits_of_a_stage_that_do_not_exist(num_bits):
    with pytest.raises(ValueError, match=f"bits of message must be 1 to 8, or 32.*got {num_bits}"):
        Precision(message=num_bits)


def test_presets_set_the_operand_stages():
    for name, num_bits in (("int8", 8), ("int4", 4), ("int2", 2)):
        preset = PRESETS[name]
        assert {preset.input, preset.weight, preset.activation, preset.message} == {num_bits}
        assert (preset.aggregate, preset.update) == (32, 32)
        assert not preset.full
    paper = PRESETS["int2-paper"]
    assert (paper.message, paper.aggregate, paper.update) == (2, 2, 2)
    assert PRESETS["float32"].full
