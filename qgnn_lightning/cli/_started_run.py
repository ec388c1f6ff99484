"""What a run was started with, where it is to go on, or to start again in its directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgnn_lightning.cli._agreement import check_agreement
from qgnn_lightning.cli._config_files import read_config
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._experiment_name import graph_name
from qgnn_lightning.run import RunDirectory


def check_started_with(run: RunDirectory, config: Mapping[str, Any]) -> None:
    """Refuse a directory whose ``config.yaml`` names another graph or another network.

    Of the graph, its name or its place counts: the folder above it may be another one.

    Args:
        run: The directory.
        config: The configuration of the command, as plain values.

    Raises:
        UsageError: If they are not the same.
    """
    if not run.config.is_file():
        return
    who = f"--run_dir {run.path} was started with"
    elsewhere = "name another --run_dir, or remove this one to start anew"
    before = _of_same_data(run, config, who, elsewhere)
    if run.last.is_file():
        return  # which knows the network, and the sizes that it took from the graph
    check_agreement(before.get("model") or {}, config["model"], who, elsewhere)


def check_continues(checkpoint: Path, config: Mapping[str, Any]) -> None:
    """Refuse to go on from the checkpoint of a run with another graph: its best epoch is kept.

    Args:
        checkpoint: The checkpoint; one that is in no directory of a run is left alone.
        config: The configuration of the command, as plain values.

    Raises:
        UsageError: If it names another graph than ``config.yaml`` of the run.
    """
    run = RunDirectory.of_checkpoint(checkpoint)
    if run is not None:
        who = f"--ckpt_path {checkpoint} is of a run that was started with"
        _of_same_data(run, config, who, "leave --ckpt_path out to train anew")


def _of_same_data(
    run: RunDirectory, config: Mapping[str, Any], who: str, otherwise: str
) -> dict[str, Any]:
    """The configuration of a run, whose graph has the same name or place."""
    before = read_config(run.config)
    try:
        names = [graph_name(one["data"]) for one in (before, config)]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{run.config} does not say its data: {otherwise}") from error
    if names[0] != names[1]:
        raise UsageError(f"{who} the data {names[0]}, got {names[1]}: {otherwise}")
    return before
