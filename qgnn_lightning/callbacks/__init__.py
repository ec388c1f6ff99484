"""Callbacks that watch a training and change nothing in it."""

from qgnn_lightning.callbacks._constraint_monitor import ConstraintMonitor
from qgnn_lightning.callbacks._figures import Figures
from qgnn_lightning.callbacks._histograms import Histograms
from qgnn_lightning.callbacks._observer import Subject
from qgnn_lightning.callbacks._oversmoothing import Oversmoothing
from qgnn_lightning.callbacks._quantization_error import QuantizationError
from qgnn_lightning.callbacks._recorder import measure_all
from qgnn_lightning.callbacks._tensorboard_layout import BEST_ACCURACY, TensorBoardLayout

__all__ = [
    "BEST_ACCURACY",
    "ConstraintMonitor",
    "Figures",
    "Histograms",
    "Oversmoothing",
    "QuantizationError",
    "Subject",
    "TensorBoardLayout",
    "measure_all",
]
