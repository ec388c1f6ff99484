"""Agreement of predictions under different dropout."""

from __future__ import annotations

import torch
from torch import Tensor


def consistency_loss(views: Tensor, temperature: float) -> Tensor:
    r"""Mean squared distance of each view's class probabilities from what the views agree on.

    With the probabilities :math:`p_v` of the views, their mean :math:`\bar p` and the sharpened
    target, from which no gradient flows,

    .. math::
        t_{ic} = \frac{\bar p_{ic}^{1/T}}{\sum_{c'} \bar p_{ic'}^{1/T}}, \qquad
        \frac{1}{VN} \sum_v \sum_i \lVert p_{vi} - t_i \rVert^2

    Source: Feng et al., Graph Random Neural Networks for Semi-Supervised Learning on Graphs,
    NeurIPS 2020, section 3.2.

    Args:
        views: Class scores of every node in every view.
        temperature: :math:`T` in (0, 1]; the lower, the surer the target.

    Shapes:
        views: ``(num_views, num_nodes, num_classes)``; the loss is a scalar.
    """
    probabilities = views.softmax(dim=-1)
    with torch.no_grad():
        target = (probabilities.mean(dim=0).clamp(min=1e-30).log() / temperature).softmax(dim=-1)
    return (probabilities - target).square().sum(dim=-1).mean()
