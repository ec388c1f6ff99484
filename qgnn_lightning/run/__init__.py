"""What a run leaves behind and can be continued from: checkpoints, logs, results."""

from qgnn_lightning.run._blueprint import make_blueprint
from qgnn_lightning.run._checkpoint_files import (
    CheckpointError,
    CheckpointFiles,
    TrainedNetworks,
    read_checkpoint,
)
from qgnn_lightning.run._checkpoints import BestCheckpoint, LastCheckpoint, best_epoch
from qgnn_lightning.run._data_arguments import DataArguments
from qgnn_lightning.run._directory import OtherRunError, RunDirectory, RunDirectoryError
from qgnn_lightning.run._evaluation import evaluation
from qgnn_lightning.run._logger import RunLogger
from qgnn_lightning.run._memory import check_memory, named_memory
from qgnn_lightning.run._packed_export import PackedExport
from qgnn_lightning.run._plan import TrainingPlan, plan_training
from qgnn_lightning.run._predictions import prediction_writer, write_predictions
from qgnn_lightning.run._progress import EpochProgress, metric_text
from qgnn_lightning.run._random_state import RandomState
from qgnn_lightning.run._results import (
    environment,
    graph_summary,
    network_summary,
    split_accuracies,
    write_json,
)
from qgnn_lightning.run._rewind import rewind
from qgnn_lightning.run._signals import StopOnSignal, Stopped, heeding_requeuing, ignore_requeuing
from qgnn_lightning.run._size import file_size, float32_size, packed_size
from qgnn_lightning.run._trial import Trial

__all__ = [
    "BestCheckpoint",
    "CheckpointError",
    "CheckpointFiles",
    "DataArguments",
    "EpochProgress",
    "LastCheckpoint",
    "OtherRunError",
    "PackedExport",
    "RandomState",
    "RunDirectory",
    "RunDirectoryError",
    "RunLogger",
    "StopOnSignal",
    "Stopped",
    "TrainedNetworks",
    "TrainingPlan",
    "Trial",
    "best_epoch",
    "check_memory",
    "environment",
    "evaluation",
    "file_size",
    "float32_size",
    "graph_summary",
    "heeding_requeuing",
    "ignore_requeuing",
    "make_blueprint",
    "metric_text",
    "named_memory",
    "network_summary",
    "packed_size",
    "plan_training",
    "prediction_writer",
    "read_checkpoint",
    "rewind",
    "split_accuracies",
    "write_json",
    "write_predictions",
]
