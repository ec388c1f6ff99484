"""What a training aims at: what is learned beside the labels, and what it must not become."""

from qgnn_lightning.objectives._consistency import consistency_loss
from qgnn_lightning.objectives._distillation import distillation_loss
from qgnn_lightning.objectives._finite import (
    NonFiniteError,
    check_finite_loss,
    check_finite_state,
)
from qgnn_lightning.objectives._training_options import check_training_options

__all__ = [
    "NonFiniteError",
    "check_finite_loss",
    "check_finite_state",
    "check_training_options",
    "consistency_loss",
    "distillation_loss",
]
