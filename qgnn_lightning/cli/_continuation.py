"""What is said of a run that goes on, or that could."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from qgnn_lightning.run import RunDirectory


def where_it_goes_on(done: int | None, wanted: int | None, step: int) -> str:
    """Where a training goes on, as a line of the output.

    Args:
        done: Epochs that are done, where the checkpoint says it.
        wanted: Epochs in all.
        step: Optimizer steps that are done.
    """
    if done is not None and done == wanted:
        return (
            f"nothing to do  all {done:,} epochs are done, only the test is repeated: "
            "a larger --trainer.max_epochs trains on"
        )
    return f"going on       after optimizer step {step:,}"


def how_to_go_on(run: RunDirectory | None, options: Mapping[str, Any]) -> str:
    """How a training that was stopped goes on.

    Args:
        run: Its directory, where it has one.
        options: The options of ``fit``.
    """
    if run is None or not run.last.is_file():
        return "no checkpoint was written"
    again = "the same command"
    if options["resume"] == "never":
        again += f" and --run_dir {run.path} --resume auto"
    export = "" if options["export"] is None else f" --export {shlex.quote(options['export'])}"
    return f"go on with: qgnn fit {run.how_to_continue}{export}, or with {again}"


def again_after_loss(run: RunDirectory | None) -> str:
    """How a training goes on of which a process was lost.

    Args:
        run: Its directory, where it has one.
    """
    continuing = f" {run.how_to_continue}" if run is not None and run.last.is_file() else ""
    return f"another process of this run has ended; go on with: qgnn fit{continuing}"
