"""Several processes of one run: which of them speaks, and what they share."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch.distributed
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.utilities import rank_zero_only

from qgnn_lightning.cli._errors import UsageError

_RUN_DIR = "QGNN_RUN_DIR"
_LOST = re.compile(r"peer|gloo|nccl|socket|timed out", re.IGNORECASE)


class LostProcessError(RuntimeError):
    """Another process of this run has ended."""


def is_first() -> bool:
    """Whether this process prints and writes; known before the processes have met."""
    rank: int = rank_zero_only.rank  # type: ignore[attr-defined]
    return rank == 0


def announce_run_directory(path: Path) -> None:
    """Tell the directory of the run to the processes that this one is going to start.

    Args:
        path: The directory.
    """
    os.environ[_RUN_DIR] = str(path.absolute())


def announced_run_directory() -> Path | None:
    """The directory that the first process has announced."""
    found = os.environ.get(_RUN_DIR)
    return None if found is None else Path(found)


def check_run_directory_is_known(given: str | None) -> None:
    """Refuse processes that could not agree on a directory.

    Args:
        given: The option ``--run_dir``.

    Raises:
        UsageError: If torchrun or srun started the processes and no directory is given.
    """
    if given is None and announced_run_directory() is None and _started_elsewhere():
        raise UsageError(
            "--run_dir is needed where torchrun or srun starts the processes: all of them write "
            "to one directory"
        )


def take_leave() -> None:
    """End the connection to the other processes, once all of them have done their work.

    A process that ends while it is still connected by gloo is now and then aborted.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _started_elsewhere() -> bool:
    if SLURMEnvironment.detect():
        return int(os.environ.get("SLURM_NTASKS", "1")) > 1
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_lost_process(error: BaseException) -> bool:
    """Whether an error says that another process does not answer.

    Args:
        error: What a process with peers has raised.
    """
    return isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))
