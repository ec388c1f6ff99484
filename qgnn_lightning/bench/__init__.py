"""Speed, size and error of packed inference against FP32 libraries, on the machine it runs on."""

from qgnn_lightning.bench._bandwidth import memory_bandwidth
from qgnn_lightning.bench._candidate import Candidate, select
from qgnn_lightning.bench._chart import CHART_SUFFIXES, save_chart
from qgnn_lightning.bench._graphs import GRAPHS, GraphName, random_graph
from qgnn_lightning.bench._measure import Outcome, Protocol, measure
from qgnn_lightning.bench._model_benchmark import ModelTask, ckpt_task, packed_task, random_task
from qgnn_lightning.bench._progress import Progress
from qgnn_lightning.bench._propagation_benchmark import PropagationTask
from qgnn_lightning.bench._record import (
    Benchmark,
    environment,
    memory_bytes,
    record,
)
from qgnn_lightning.bench._report import report

__all__ = [
    "CHART_SUFFIXES",
    "GRAPHS",
    "Benchmark",
    "Candidate",
    "GraphName",
    "ModelTask",
    "Outcome",
    "Progress",
    "PropagationTask",
    "Protocol",
    "ckpt_task",
    "environment",
    "measure",
    "memory_bandwidth",
    "memory_bytes",
    "packed_task",
    "random_graph",
    "random_task",
    "record",
    "report",
    "save_chart",
    "select",
]
