"""Where a training keeps what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgnn_lightning.cli._experiment_name import experiment_name
from qgnn_lightning.cli._processes import (
    announce_run_directory,
    announced_run_directory,
    check_run_directory_is_known,
    is_first,
)
from qgnn_lightning.run import RunDirectory, rewind


def experiment_folder(options: Mapping[str, Any]) -> Path:
    """Folder of all runs with the same data, architecture and bits.

    Args:
        options: The options of ``fit``.
    """
    root = Path(options["trainer"]["default_root_dir"] or "runs").expanduser()
    return root / experiment_name(options["data"], options["model"])


def named_directory(options: Mapping[str, Any]) -> RunDirectory:
    """The directory that ``--run_dir`` names, as it is.

    Args:
        options: The options of ``fit``, with a directory.
    """
    return RunDirectory(Path(options["run_dir"]).expanduser())


def make_run_directory(options: Mapping[str, Any], ckpt_path: Path | None) -> RunDirectory:
    """The directory of a run; the first process makes it, the others are told.

    What a run has left in it stays untouched until :func:`take_over`.

    Args:
        options: The options of ``fit``.
        ckpt_path: Checkpoint to go on from; its run is then continued, where it has one.

    Raises:
        RunDirectoryError: If it cannot be made, or is that of another run.
    """
    given = None if options["run_dir"] is None else Path(options["run_dir"]).expanduser()
    check_run_directory_is_known(options["run_dir"])
    if not is_first():
        told = announced_run_directory() or given
        assert told is not None
        return RunDirectory(told)
    run = _directory_of_first(options, given, ckpt_path)
    announce_run_directory(run.path)
    return run


def _directory_of_first(
    options: Mapping[str, Any], given: Path | None, ckpt_path: Path | None
) -> RunDirectory:
    if ckpt_path is not None:
        run = RunDirectory.continued(ckpt_path, given)
        if run is not None:
            return run
    if options["resume"] == "auto":
        assert given is not None
        return RunDirectory.started_again(given)
    if given is not None:
        return RunDirectory.named(given)
    return RunDirectory.next_version(experiment_folder(options))


def take_over(
    run: RunDirectory, options: Mapping[str, Any], ckpt_path: Path | None, stored_step: int
) -> None:
    """Go on with what is in the directory of a run, where all of it is whole.

    Args:
        run: What :func:`make_run_directory` gave.
        options: The options of ``fit``.
        ckpt_path: Checkpoint to go on from.
        stored_step: Number of optimizer steps that it has behind it.

    Raises:
        RunDirectoryError: If a log of the run is damaged.
    """
    if ckpt_path is not None:
        run.take_best_along(ckpt_path)
        rewind(run, stored_step)
    elif options["resume"] == "auto":
        rewind(run, 0)
