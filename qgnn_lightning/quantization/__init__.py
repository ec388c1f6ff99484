"""Uniform quantization to few bits, with ranges that are tracked, learned or truncated."""

from qgnn_lightning.quantization._bitwise_truncation import BitwiseTruncationQuantizer
from qgnn_lightning.quantization._degree_quant import (
    DegreeQuantQuantizer,
    percentile_range,
    protect,
    protection_probability,
)
from qgnn_lightning.quantization._error import clipped_fraction, signal_to_noise_ratio
from qgnn_lightning.quantization._factory import QuantizerName, make_quantizer
from qgnn_lightning.quantization._frozen import FrozenQuantizer
from qgnn_lightning.quantization._functional import (
    affine_codes,
    grid_of_range,
    quantize,
    round_half_even,
    scale_gradient,
    skewness,
    truncate_to_two_bits,
    truncated_codes,
)
from qgnn_lightning.quantization._grid import Grid, Quantized
from qgnn_lightning.quantization._identity import IdentityQuantizer
from qgnn_lightning.quantization._learned_range import LearnedRangeQuantizer
from qgnn_lightning.quantization._learned_step import LearnedStepQuantizer
from qgnn_lightning.quantization._least_squares import LeastSquaresQuantizer
from qgnn_lightning.quantization._min_max import MinMaxQuantizer
from qgnn_lightning.quantization._precision import (
    PRESETS,
    Precision,
    as_precision,
    make_precision,
)
from qgnn_lightning.quantization._quantizer import Quantizer
from qgnn_lightning.quantization._synchronization import synchronize

__all__ = [
    "PRESETS",
    "BitwiseTruncationQuantizer",
    "DegreeQuantQuantizer",
    "FrozenQuantizer",
    "Grid",
    "IdentityQuantizer",
    "LearnedRangeQuantizer",
    "LearnedStepQuantizer",
    "LeastSquaresQuantizer",
    "MinMaxQuantizer",
    "Precision",
    "Quantized",
    "Quantizer",
    "QuantizerName",
    "affine_codes",
    "as_precision",
    "clipped_fraction",
    "grid_of_range",
    "make_precision",
    "make_quantizer",
    "percentile_range",
    "protect",
    "protection_probability",
    "quantize",
    "round_half_even",
    "scale_gradient",
    "signal_to_noise_ratio",
    "skewness",
    "synchronize",
    "truncate_to_two_bits",
    "truncated_codes",
]
