"""What a directory was started with, where a run is to go on or to start again in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgnn_lightning.cli._agreement import check_agreement
from qgnn_lightning.cli._config_files import read_config
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._run_place import graph_name
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
    before = read_config(run.config)
    elsewhere = "name another --run_dir, or remove this one to start anew"
    try:
        names = [graph_name(one["data"]) for one in (before, config)]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{run.config} does not say its data: {elsewhere}") from error
    if names[0] != names[1]:
        raise UsageError(
            f"--run_dir {run.path} was started with the data {names[0]}, got {names[1]}: "
            f"{elsewhere}"
        )
    if run.last.is_file():
        return  # which knows the network, and the sizes that it took from the graph
    who = f"--run_dir {run.path} was started with"
    check_agreement(before.get("model") or {}, config["model"], who, elsewhere)
