"""Linear map of codes, whose scales cost no pass over the rows in the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _ScaledLinear(torch.autograd.Function):
    r"""Keeps codes and weights alone.

    With the gradient :math:`G` of the result and :math:`M = G^\top c_x`, one row per output, the
    gradient of the weights is :math:`s M`, and that of a scale the sum of :math:`M c_w`.
    """

    @staticmethod
    def forward(
        ctx: Any, codes: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, double: bool
    ) -> Tensor:
        ctx.save_for_backward(codes, weight, scale)
        if double:
            total = functional.linear(codes.double(), weight.double())
        else:
            total = functional.linear(codes, weight)
        ctx.dtype = total.dtype  # lower than that of the codes in mixed precision
        total = total.to(codes.dtype).mul_(scale)
        return total if bias is None else total.add_(bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        codes, weight, scale = ctx.saved_tensors
        needs_codes, needs_weight, needs_scale, needs_bias, _ = ctx.needs_input_grad
        (grad,) = grad_outputs
        factor, narrow = scale.reshape(-1, 1), grad.to(ctx.dtype)
        grad_codes = grad_weight = grad_scale = None
        if needs_codes:
            grad_codes = (narrow @ (weight * factor).to(ctx.dtype)).to(codes.dtype)
        if needs_weight or needs_scale:
            product = (narrow.t() @ codes.to(ctx.dtype)).to(codes.dtype)
            grad_weight = product * factor
            grad_scale = (product * weight).sum(1)[None].sum_to_size(scale.shape)
        return grad_codes, grad_weight, grad_scale, grad.sum(0) if needs_bias else None, None


def scaled_linear(
    codes: Tensor, weight: Tensor, scale: Tensor | None, bias: Tensor | None, double: bool
) -> Tensor:
    r"""Linear map :math:`y = s\,(c_x\, c_w^\top) + b`, differentiable in all of them.

    Under autocast the product has a lower precision, all else that of the codes.

    Args:
        codes: Centred codes :math:`c_x` of the features.
        weight: Centred codes :math:`c_w` of the weights.
        scale: What one unit of the product is worth, or ``None`` where nothing is quantized.
        bias: Added to the result.
        double: Whether the product is too large for the whole numbers of float32.

    Shapes:
        codes: ``(num_rows, in)``; weight: ``(out, in)``; scale: ``()`` or ``(1, out)``;
        bias: ``(out,)`` -> ``(num_rows, out)``.
    """
    if scale is None:
        product = functional.linear(codes, weight).to(codes.dtype)
        return product if bias is None else product.add_(bias)
    result: Tensor = _ScaledLinear.apply(codes, weight, scale, bias, double)  # type: ignore[no-untyped-call]
    return result
