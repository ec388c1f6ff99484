"""What is learned beside the labels."""

from qgnn_lightning.objectives._consistency import consistency_loss
from qgnn_lightning.objectives._distillation import distillation_loss

__all__ = ["consistency_loss", "distillation_loss"]
