"""One state of all quantizers over several processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

from qgnn_lightning.quantization._bitwise_truncation import BitwiseTruncationQuantizer
from qgnn_lightning.quantization._learned_range import LearnedFraction
from qgnn_lightning.quantization._least_squares import LeastSquaresQuantizer
from qgnn_lightning.quantization._running_range import RunningRange


@torch.no_grad()
def synchronize(module: nn.Module) -> None:
    r"""Give all processes the range of all their data, after each has tracked its own.

    The smallest minimum and the largest maximum are taken. From equal states :math:`m`, that is
    what one process with all the data would have tracked, as the average is monotone:

    .. math:: \min_p\,(m + w\,(x_p - m)) = m + w\,(\min_p x_p - m)

    Fractions and skews, which are not extreme values, are averaged. Every process must call it.

    Args:
        module: Holds the quantizers; the same on all processes.
    """
    ranges = [one for one in module.modules() if isinstance(one, RunningRange)]
    lowest = [tensor for one in ranges for tensor in (one.minimum, one.maximum.neg_())]
    _reduce(lowest, distributed.ReduceOp.MIN)
    for one in ranges:
        one.maximum.neg_()
    _reduce([one.initialized for one in ranges], distributed.ReduceOp.MAX)
    averaged: list[Tensor] = []
    for part in module.modules():
        if isinstance(part, LeastSquaresQuantizer):
            averaged.append(part.fraction)
        elif isinstance(part, LearnedFraction):
            averaged.append(part.alpha)
        elif isinstance(part, BitwiseTruncationQuantizer):
            averaged.append(part.skew)
    for tensor in averaged:
        tensor.div_(distributed.get_world_size())
    _reduce(averaged, distributed.ReduceOp.SUM)
    for part in module.modules():
        if isinstance(part, BitwiseTruncationQuantizer):
            part.skew.round_()


def _reduce(tensors: list[Tensor], operation: distributed.ReduceOp.RedOpType) -> None:
    """Reduce many small tensors as one, in place."""
    if not tensors:
        return
    flat = torch.cat([tensor.flatten().float() for tensor in tensors])
    distributed.all_reduce(flat, operation)
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, reduced in zip(tensors, torch.split(flat, sizes), strict=True):
        tensor.copy_(reduced.view_as(tensor))
