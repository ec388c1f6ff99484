"""A student that learns the probabilities of its teacher."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    r"""Kullback-Leibler divergence of softened probabilities, times :math:`T^2`.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015.

    Args:
        student: Class scores.
        teacher: Class scores, without gradient.
        temperature: :math:`T`, positive.

    Shapes:
        student, teacher: ``(num_nodes, num_classes)``; the loss is a scalar.
    """
    target = (teacher / temperature).softmax(1)
    divergence = functional.kl_div(
        (student / temperature).log_softmax(1), target, reduction="batchmean"
    )
    return divergence * float(temperature) ** 2
