"""The formulas of quantization as pure functions, with straight-through gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_SMALLEST_SCALE = 1e-12


class _RoundHalfEven(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        return grad_outputs[0]


def round_half_even(x: Tensor) -> Tensor:
    """Round to whole numbers; the gradient passes straight through."""
    result: Tensor = _RoundHalfEven.apply(x)  # type: ignore[no-untyped-call]
    return result


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return grad_outputs[0] * ctx.factor, None


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """The identity, whose gradient is multiplied by a factor."""
    result: Tensor = _ScaleGradient.apply(x, factor)  # type: ignore[no-untyped-call]
    return result


class _AffineCodes(torch.autograd.Function):
    """Keeps only ``x`` for the backward pass, where autograd's chain would keep four tensors.

    Either pass goes over the data as few times as it can: time goes into memory, not into sums.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(x, scale, low, high)
        codes = (x * scale.reciprocal()).round_()
        if _is_number(low):
            return codes.clamp_(float(low), float(high))
        return codes.clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, low, high = ctx.saved_tensors
        inverse = scale.reciprocal()
        v = x * inverse
        needs_x, needs_scale = ctx.needs_input_grad[:2]
        passed = _inside(grad_outputs[0], v, low, high, out=None if needs_scale else v)
        grad_scale = -inverse * _sum_of_products(passed, v, scale) if needs_scale else None
        return passed.mul_(inverse) if needs_x else None, grad_scale, None, None


def _is_number(tensor: Tensor) -> bool:
    """Whether it can be read at no cost, and operations go faster with a number."""
    return tensor.numel() == 1 and tensor.device.type == "cpu"


def _inside(grad: Tensor, v: Tensor, low: Tensor, high: Tensor, out: Tensor | None) -> Tensor:
    """``grad`` where ``v`` is in ``[low, high]``, 0 elsewhere."""
    if not _is_number(low):
        return torch.where((v >= low) & (v <= high), grad, 0)
    # The gradient of a clipped line, in one pass; it counts the ends as outside.
    below, above = low.nextafter(low - 1).item(), high.nextafter(high + 1).item()
    if out is None:
        out = torch.empty_like(v)
    torch.ops.aten.hardtanh_backward.grad_input(grad, v, below, above, grad_input=out)
    return out


def _sum_of_products(a: Tensor, b: Tensor, like: Tensor) -> Tensor:
    """Sum of ``a * b`` over what ``like`` is broadcast over."""
    if like.numel() == 1:
        return torch.dot(a.flatten(), b.flatten()).view_as(like)
    return (a * b).sum_to_size(like.shape)


def affine_codes(x: Tensor, scale: Tensor, zero_point: Tensor, num_bits: int) -> Tensor:
    r"""Centred codes of an affine grid, with a straight-through gradient.

    .. math:: c = \operatorname{clip}(\operatorname{round}(x / s),\; -z,\; 2^b - 1 - z)

    Rounding counts as the identity in the backward pass, so that the derivative of
    :math:`s\,c` by :math:`s` is :math:`\operatorname{round}(v) - v` inside the range
    (:math:`v = x/s`) and the clip value outside.

    Source: Esser et al., "Learned Step Size Quantization", ICLR 2020, equation 3.

    Args:
        x: What to quantize.
        scale: Positive, broadcastable to ``x``.
        zero_point: Whole numbers in :math:`[0, 2^b - 1]`, shaped as ``scale``.
        num_bits: Bits :math:`b`.

    Shapes:
        x: any -> same; whole numbers in the type of ``x``.
    """
    high = (2**num_bits - 1) - zero_point
    result: Tensor = _AffineCodes.apply(x, scale, -zero_point, high)  # type: ignore[no-untyped-call]
    return result


def grid_of_range(low: Tensor, high: Tensor, num_bits: int) -> tuple[Tensor, Tensor]:
    r"""Scale and zero point of the affine grid that covers a range and contains 0 exactly.

    .. math:: s = (h - l) / (2^b - 1), \qquad z = \operatorname{round}(-l / s),
        \qquad l = \min(\text{low}, 0),\; h = \max(\text{high}, 0)

    Args:
        low: Smallest value.
        high: Largest value.
        num_bits: Bits :math:`b`.

    Returns:
        ``(scale, zero_point)``, shaped as ``low``; the scale is positive even for an empty range.
    """
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = ((high - low) / (2**num_bits - 1)).clamp(min=_SMALLEST_SCALE)
    return scale, (-low / scale).round().clamp(0, 2**num_bits - 1)


def truncate_to_two_bits(fine_code: Tensor) -> Tensor:
    r"""Nearest of the four 8-bit codes {0, 85, 170, 255}, whose upper two bits tell them apart.

    255 = 3 * 85, and 85 is odd: no code lies midway, so there are no ties.

    Source: Wang et al., "Low-bit Quantization for Deep Graph Neural Networks with
    Smoothness-aware Message Propagation", CIKM 2023 (bitwise truncation).

    Args:
        fine_code: Codes in [0, 255]; the gradient passes straight through.

    Shapes:
        fine_code: any -> same.
    """
    return round_half_even(fine_code / 85) * 85


def truncated_codes(x: Tensor, scale: Tensor, zero_point: Tensor, shift: Tensor | int) -> Tensor:
    """Centred codes of bitwise truncation, with a straight-through gradient.

    Args:
        x: What to quantize.
        scale: Scale of the fine, 8-bit grid.
        zero_point: Zero point of the fine grid.
        shift: Added to the fine code before it is truncated; a whole number.

    Shapes:
        x: any -> same.
    """
    fine = affine_codes(x, scale, zero_point, 8) + zero_point
    return truncate_to_two_bits((fine + shift).clamp(0, 255)) - zero_point


def quantize(x: Tensor, scale: Tensor, zero_point: Tensor, num_bits: int) -> Tensor:
    """Codes in 0 ... 2^b - 1 as uint8, without a gradient; see :func:`affine_codes`."""
    with torch.no_grad():
        return (affine_codes(x, scale, zero_point, num_bits) + zero_point).to(torch.uint8)


def skewness(x: Tensor) -> Tensor:
    r"""Third standardised moment; 0 for a constant.

    .. math:: E[(x - \bar x)^3] / E[(x - \bar x)^2]^{3/2}

    Shapes:
        x: any -> ``()``.
    """
    if x.numel() == 0:
        return x.new_zeros(())
    centred = x - x.mean()
    spread = centred.square().mean()
    third = centred.pow(3).mean()
    return torch.where(spread > 0, third / spread.clamp(min=1e-30).pow(1.5), 0.0)
