"""Arguments that a checkpoint brings along, and how they go together with those typed."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.data import RANDOM_SOURCES, GraphDataError, TrainedClasses
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import CheckpointError, read_checkpoint

#: What every checkpoint has.
_PARTS = {
    "state_dict": dict,
    "hyper_parameters": dict,
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
}
#: Where Lightning keeps the number of epochs whose steps are done.
_EPOCHS_DONE = ("loops", "fit_loop", "epoch_progress", "current", "processed")
#: And the seconds of each of its stages.
_TIMES = ("callbacks", "Timer", "time_elapsed")
#: Of an older Lightning there is no checkpoint of ours.
_VERSION = re.compile(r"2\.[1-9]\d*\.\d+((a|b|rc|\.dev|\.post)\d+)?")

_SIZES = ("num_nodes", "num_edges", "num_features")
#: Numbers in a random graph, 200 MB of them, that nobody has to ask for by name.
_MOST_DRAWN = 50_000_000


def load_checkpoint(path: Path, option: str) -> dict[str, Any]:
    """Read a checkpoint of this program; nothing in it is imported or run.

    Args:
        path: The file.
        option: The option that names it.

    Raises:
        UsageError: If there is no such file, or it is not a checkpoint of this program.
    """
    if path.is_dir():
        raise UsageError(f"{option} must be a checkpoint file, {path} is a folder: name one in it")
    if not path.is_file():
        raise UsageError(f"{option} must be a checkpoint file, there is none at {path}")
    try:
        checkpoint = read_checkpoint(path)
    except CheckpointError as error:
        raise UsageError(f"{option} {error}") from error
    if (
        not all(isinstance(checkpoint.get(name), kind) for name, kind in _PARTS.items())
        or not isinstance(checkpoint.get("GraphDataModule", {}), dict)
        or not _VERSION.fullmatch(checkpoint["pytorch-lightning_version"])
    ):
        raise UsageError(f"{option} {path} is not a checkpoint of this program")
    return checkpoint


def model_arguments(checkpoint: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The arguments of the model in a checkpoint.

    Args:
        checkpoint: A loaded checkpoint.
        name: What it is called in the message.

    Raises:
        UsageError: If it names anything that the model does not take, a class for example, or a
            value is not a plain one.
    """
    stored = dict(checkpoint["hyper_parameters"])
    unknown = sorted(set(map(str, stored)) - set(signature(NodeClassifier).parameters))
    if unknown:
        raise UsageError(
            f"{name} holds arguments that the model does not take: {', '.join(unknown)}; "
            "it comes from another version or another program"
        )
    for argument, value in stored.items():
        if not _is_plain(value):
            raise UsageError(
                f"{name} holds a wrong argument: --model.{argument} must be a plain value, "
                f"got {type(value).__name__}"
            )
    return stored


def _is_plain(value: Any) -> bool:
    """Whether it is a number, a text, or numbers by name."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and isinstance(v, int | float) for k, v in value.items())
    return value is None or isinstance(value, int | float | str)


def check_network(arguments: Mapping[str, Any], state: Mapping[str, Any], name: str) -> None:
    """Refuse arguments whose network is not the one that was stored, before it takes memory.

    Args:
        arguments: The model's arguments in the checkpoint.
        state: The tensors in the checkpoint.
        name: What the checkpoint is called in the message.

    Raises:
        UsageError: If they do not fit together.
    """
    found = _shapes(state)
    numbers = sum(shape.numel() for shape, _ in found.values())
    try:
        if arguments.get("num_steps", 0) > numbers:
            raise ValueError("more steps than numbers")
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about layers without inputs
            expected = _shapes(NodeClassifier(**arguments).state_dict())
    except Exception as error:  # the arguments may be anything
        raise UsageError(f"{name} holds arguments that make no network") from error
    if found != expected or len(found) < len(state):
        raise UsageError(
            f"{name} does not fit its own arguments: it is damaged, or comes from another version"
        )


def trained_classes(checkpoint: Mapping[str, Any], name: str) -> TrainedClasses:
    """The classes and features of the network in a checkpoint.

    Args:
        checkpoint: A loaded checkpoint, whose network was checked.
        name: What it is called in the message.

    Raises:
        UsageError: If their names are damaged.
    """
    sizes = [checkpoint["hyper_parameters"].get(f"num_{one}") for one in ("classes", "features")]
    try:
        return TrainedClasses.stored(checkpoint.get("GraphDataModule", {}), *sizes)
    except GraphDataError as error:
        raise UsageError(f"{name} is damaged: {error}") from error


def check_drawn(stored: Mapping[str, Any], typed: Mapping[str, Any], name: str) -> None:
    """Refuse to draw a graph as large as a checkpoint says, unless its sizes were typed.

    Args:
        stored: The arguments of the data in the checkpoint.
        typed: Those on the command line and in configuration files.
        name: What the checkpoint is called in the message.

    Raises:
        UsageError: If the graph is large, and a size of it comes from the checkpoint.
    """
    data = {**stored, **typed}
    sizes = [data.get(size) for size in _SIZES]
    if data.get("source") not in RANDOM_SOURCES or all(size in typed for size in _SIZES):
        return
    if not all(isinstance(size, int) for size in sizes):
        return  # said elsewhere
    nodes, edges, features = map(int, sizes)  # type: ignore[arg-type]
    if nodes * features + 2 * edges > _MOST_DRAWN:
        options = " ".join(f"--data.{size} {data[size]}" for size in _SIZES)
        raise UsageError(
            f"{name} names a random graph of {nodes:,} nodes, {edges:,} edges and "
            f"{features:,} features: to draw one so large, add {options}"
        )


def check_teacher_is_named(typed: Mapping[str, Any], name: str) -> None:
    """Refuse a teacher that only a checkpoint names: one from elsewhere names no file to read.

    Args:
        typed: The model's arguments on the command line and in configuration files.
        name: What the checkpoint is called in the message.

    Raises:
        UsageError: If it was not typed.
    """
    if typed.get("teacher_ckpt") is None:
        raise UsageError(
            f"{name} learned from a teacher: name its checkpoint with "
            "--model.teacher_ckpt, or continue with -c and the config.yaml of the run"
        )


def check_progress(checkpoint: Mapping[str, Any], name: str) -> None:
    """Refuse a state of training from which nothing could go on, or would never end.

    Args:
        checkpoint: A loaded checkpoint.
        name: What it is called in the message.

    Raises:
        UsageError: If a number of steps or epochs is not whole, or negative; if no time is spent in
            seconds; or if an optimizer has no table for a parameter.
    """
    left = [checkpoint["epoch"], checkpoint["global_step"], checkpoint.get("loops")]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.values()
        elif not isinstance(one, int) or one < 0:
            raise UsageError(f"{name} does not say how far its training had come")
    times = _inner(checkpoint, _TIMES)
    seconds = list(times.values()) if isinstance(times, dict) else [times or 0]
    if not all(isinstance(one, int | float) and 0 <= one < math.inf for one in seconds):
        raise UsageError(f"{name} does not say how long its training took")
    optimizers = checkpoint.get("optimizer_states", [])
    if not isinstance(optimizers, list) or not all(map(_holds_tables, optimizers)):
        raise UsageError(f"{name} holds a damaged state of its optimizer")


def epochs_done(checkpoint: Mapping[str, Any]) -> int | None:
    """Epochs whose steps are all done; ``None`` where a checkpoint does not say it.

    Args:
        checkpoint: A loaded checkpoint, whose progress is whole numbers.
    """
    found = _inner(checkpoint, _EPOCHS_DONE)
    return found if isinstance(found, int) else None


def check_epochs(done: int | None, max_epochs: int | None, name: str) -> None:
    """Refuse to go on for fewer epochs than were done.

    Args:
        done: What :func:`epochs_done` gave.
        max_epochs: Epochs in all; ``None`` or -1 is without end.
        name: What the checkpoint is called in the message.

    Raises:
        UsageError: If there are fewer.
    """
    if done is not None and max_epochs is not None and 0 <= max_epochs < done:
        raise UsageError(
            f"--trainer.max_epochs is {max_epochs}, but {name} has {done} epochs behind it: "
            f"--trainer.max_epochs {done} repeats its test, a larger number trains on"
        )


def _holds_tables(optimizer: Any) -> bool:
    """Whether the state of an optimizer is a table of tables."""
    state = _inner({"optimizer": optimizer}, ("optimizer", "state"))
    return isinstance(state, dict) and all(isinstance(one, dict) for one in state.values())


def _inner(checkpoint: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """What is in tables within one another, or ``None``."""
    found: Any = checkpoint
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[torch.Size, bool]]:
    """Shape of each tensor, and whether it holds real numbers."""
    return {
        name: (one.shape, one.is_floating_point())
        for name, one in state.items()
        if isinstance(one, Tensor)
    }
