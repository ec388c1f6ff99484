"""A network that is checked before it takes memory."""

from __future__ import annotations

import torch

from qgnn_lightning.lightning_module import NodeClassifier


def make_blueprint(model: NodeClassifier) -> NodeClassifier:
    """The same model with tensors that have shapes, but no content; it draws no random number.

    Args:
        model: A model that knows the sizes of its data.

    Raises:
        ValueError: If its arguments make no network.
    """
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return NodeClassifier(**dict(model.hparams))
