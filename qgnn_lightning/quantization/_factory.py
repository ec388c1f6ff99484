"""From the name of a quantizer to the quantizer."""

from __future__ import annotations

from typing import Literal, get_args

from qgnn_lightning.quantization._bitwise_truncation import BitwiseTruncationQuantizer
from qgnn_lightning.quantization._degree_quant import DegreeQuantQuantizer
from qgnn_lightning.quantization._identity import IdentityQuantizer
from qgnn_lightning.quantization._learned_range import LearnedRangeQuantizer
from qgnn_lightning.quantization._learned_step import LearnedStepQuantizer
from qgnn_lightning.quantization._least_squares import LeastSquaresQuantizer
from qgnn_lightning.quantization._min_max import MinMaxQuantizer
from qgnn_lightning.quantization._precision import FULL_PRECISION, check_bits
from qgnn_lightning.quantization._quantizer import Quantizer

QuantizerName = Literal[
    "least_squares",
    "learned_range",
    "min_max",
    "lsq",
    "degree_quant",
    "bitwise_truncation",
    "skewness_truncation",
]


def make_quantizer(
    name: QuantizerName,
    num_bits: int,
    momentum: float = 0.1,
    num_channels: int | None = None,
) -> Quantizer:
    """Make a quantizer; 32 bits give the identity.

    Bitwise truncation exists for two bits only; other bits of such a network use the learned
    range it is built on.

    Args:
        name: ``least_squares``, ``learned_range`` (QLR), ``min_max``, ``lsq``,
            ``degree_quant``, ``bitwise_truncation`` (BT) or ``skewness_truncation`` (BT*).
        num_bits: Bits of a code, 1 to 8, or 32.
        momentum: Weight of the newest range in the tracked one.
        num_channels: Number of rows with a grid of their own, or ``None`` for one grid.

    Raises:
        ValueError: If the name is unknown, or there are no codes of so many bits.
    """
    if name not in get_args(QuantizerName):
        raise ValueError(f"quantizer must be one of {get_args(QuantizerName)}, got {name!r}")
    check_bits("num_bits", num_bits)
    if num_bits == FULL_PRECISION:
        return IdentityQuantizer()
    if name == "least_squares":
        return LeastSquaresQuantizer(num_bits, momentum, num_channels)
    if name == "min_max":
        return MinMaxQuantizer(num_bits, momentum, num_channels)
    if name == "lsq":
        return LearnedStepQuantizer(num_bits, num_channels)
    if name == "degree_quant":
        return DegreeQuantQuantizer(num_bits, momentum, num_channels)
    if name == "learned_range" or num_bits != 2:
        return LearnedRangeQuantizer(num_bits, momentum, num_channels)
    return BitwiseTruncationQuantizer(name == "skewness_truncation", momentum, num_channels)
