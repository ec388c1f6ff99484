"""Files that survive a crash, written as a whole or not at all; and the names of a run's files."""

from qgnn_lightning.storage._atomic import atomic_path, remove_unfinished, unfinished_path
from qgnn_lightning.storage._run_files import (
    CONFIG_FILE,
    DIAGNOSTICS_FILE,
    EVALUATION_FILE,
    RESULTS_FILE,
)

__all__ = [
    "CONFIG_FILE",
    "DIAGNOSTICS_FILE",
    "EVALUATION_FILE",
    "RESULTS_FILE",
    "atomic_path",
    "remove_unfinished",
    "unfinished_path",
]
