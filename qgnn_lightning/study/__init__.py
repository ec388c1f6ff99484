"""Many runs at once: over seeds, and over the axes of a study. Does not import torch."""

from qgnn_lightning.study._execute import (
    RunsFailedError,
    check_data,
    check_options,
    execute,
    missing,
    plan,
)
from qgnn_lightning.study._options import Options, StudyError, merge, parse_value, read_config
from qgnn_lightning.study._result_file import ResultFile
from qgnn_lightning.study._run import SEED, Run
from qgnn_lightning.study._seeds import parse_seeds
from qgnn_lightning.study._study import Cell, Study
from qgnn_lightning.study._study_file import check_names, read_study
from qgnn_lightning.study._summary import Summary, summarize
from qgnn_lightning.study._table import short_table
from qgnn_lightning.study._workers import WorkerPool

__all__ = [
    "SEED",
    "Cell",
    "Options",
    "ResultFile",
    "Run",
    "RunsFailedError",
    "Study",
    "StudyError",
    "Summary",
    "WorkerPool",
    "check_data",
    "check_names",
    "check_options",
    "execute",
    "merge",
    "missing",
    "parse_seeds",
    "parse_value",
    "plan",
    "read_config",
    "read_study",
    "short_table",
    "summarize",
]
