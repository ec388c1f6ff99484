"""Linear layer on quantized features and weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from qgnn_lightning.nn._scaled_linear import scaled_linear
from qgnn_lightning.nn._sparse import SparsePattern, sparse_product
from qgnn_lightning.quantization import Quantized, Quantizer

# Sums of whole numbers are exact in float32 below this.
_EXACT_IN_FLOAT32 = 2**24


class QuantizedLinear(nn.Module):
    r"""Linear layer whose features and weights are quantized first and dropped out after.

    .. math:: y = s_x s_w \,(c_x\, c_w^\top) + b

    The product is one of whole numbers; in evaluation mode it is exact.

    Args:
        in_features: Number of input features.
        out_features: Number of output features.
        input_quantizer: Quantizes the features.
        weight_quantizer: Quantizes the weights; per channel means per output feature.
        dropout: Probability to drop a quantized feature while training, in [0, 1).
        bias: Whether there is a bias :math:`b`.

    Shapes:
        x: ``(num_nodes, in_features)``, dense or torch.sparse CSR ->
        ``(num_nodes, out_features)``.

    Raises:
        ValueError: If ``dropout`` is outside [0, 1).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        input_quantizer: Quantizer,
        weight_quantizer: Quantizer,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        self.in_features = in_features
        self.out_features = out_features
        self.dropout = dropout
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        if bias:
            self.bias = nn.Parameter(torch.empty(out_features))
        else:
            self.register_parameter("bias", None)
        self.input_quantizer = input_quantizer
        self.weight_quantizer = weight_quantizer
        self._pattern: SparsePattern | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias as torch.nn.Linear does."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        bound = 1 / math.sqrt(max(self.in_features, 1))
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight_quantizer(self.weight)
        if x.layout == torch.sparse_csr:
            pattern = self._pattern_of(x)
            features = self.input_quantizer(x.values())
            double = self._needs_double(pattern.max_count, features, weight)
            scale = _product_of_scales(features, weight)
            total = _sparse_product(self._drop(features.centred), weight.centred, double, pattern)
            product = total if scale is None else total * scale
            return product if self.bias is None else product + self.bias
        features = self.input_quantizer(x)
        double = self._needs_double(self.in_features, features, weight)
        # Mixed precision is for training: evaluation is exact with any setting of the trainer.
        device = x.device.type
        with torch.autocast(device, enabled=self.training and torch.is_autocast_enabled(device)):
            return scaled_linear(
                self._drop(features.centred),
                weight.centred,
                _product_of_scales(features, weight),
                self.bias,
                double,
            )

    def _drop(self, centred: Tensor) -> Tensor:
        return functional.dropout(centred, self.dropout, self.training)

    def _needs_double(self, num_terms: int, features: Quantized, weight: Quantized) -> bool:
        """Whether an exact sum could leave the whole numbers of float32."""
        if self.training or features.scale is None or weight.scale is None:
            return False
        # A centred code lies in [-255, 255], also that of two truncated bits.
        largest = 1.0
        for quantizer in (self.input_quantizer, self.weight_quantizer):
            grid = quantizer.grid()
            largest *= 1 if grid is None else grid.quant_max * grid.stride
        return num_terms * largest >= _EXACT_IN_FLOAT32

    def _pattern_of(self, x: Tensor) -> SparsePattern:
        if self._pattern is None or not self._pattern.matches(x):
            self._pattern = SparsePattern.of(x)
        return self._pattern

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_features}, {self.out_features}, dropout={self.dropout}"


def _sparse_product(codes: Tensor, weight: Tensor, double: bool, pattern: SparsePattern) -> Tensor:
    if not double:
        return sparse_product(codes, pattern, weight.t())
    return sparse_product(codes.double(), pattern, weight.double().t()).to(codes.dtype)


def _product_of_scales(features: Quantized, weight: Quantized) -> Tensor | None:
    weight_scale = weight.scale
    if weight_scale is not None and weight_scale.dim() == 2:
        weight_scale = weight_scale.t()
    if features.scale is None or weight_scale is None:
        return weight_scale if features.scale is None else features.scale
    return features.scale * weight_scale
