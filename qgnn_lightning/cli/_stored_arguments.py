"""Arguments that a checkpoint brings along, and how they go together with those typed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.lightning_module import NodeClassifier

#: May differ from the checkpoint; all others decide what its weights and ranges mean.
_FREE = frozenset(
    {
        "dropout",
        "range_momentum",
        "smoothing",
        "step_size",
        "restart",
        "budget",
        "budget_unit",
        "dual_step_size",
        "residual_bits",
        "identity_mapping",
        "sparsity",
        "learning_rate",
        "weight_decay",
        "part_weight_decay",
        "range_learning_rate",
        "lr_decay",
        "lr_decay_every",
        "teacher_ckpt",
        "distillation_weight",
        "temperature",
    }
)


def load_checkpoint(path: Path, option: str = "ckpt_path") -> dict[str, Any]:
    """Read a checkpoint of this program; nothing in it is imported or run.

    Args:
        path: The file.
        option: The option that names it.

    Raises:
        UsageError: If there is no such file, or it is not a checkpoint of this program.
    """
    if not path.is_file():
        raise UsageError(f"{option} must be a checkpoint file, there is none at {path}")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        raise UsageError(f"{option} {path} is not a whole checkpoint of this program") from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "hyper_parameters"} <= set(
        checkpoint
    ):
        raise UsageError(f"{option} {path} is not a checkpoint of this program")
    return checkpoint


def model_arguments(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the model in a checkpoint.

    Args:
        checkpoint: A loaded checkpoint.

    Raises:
        UsageError: If it names anything that the model does not take, a class for example.
    """
    stored = dict(checkpoint["hyper_parameters"])
    unknown = sorted(set(map(str, stored)) - set(signature(NodeClassifier).parameters))
    if unknown:
        raise UsageError(
            f"ckpt_path holds arguments that the model does not take: {', '.join(unknown)}; "
            "it comes from another version or another program"
        )
    return stored


def check_agreement(stored: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
    """Refuse typed arguments that would give the stored weights another meaning.

    Args:
        stored: The model's arguments in the checkpoint.
        typed: Those on the command line and in configuration files.

    Raises:
        UsageError: If they contradict each other; both values are named.
    """
    parameters = signature(NodeClassifier).parameters
    for name, value in typed.items():
        # A checkpoint of an earlier version does not have every argument yet.
        found = stored.get(name, parameters[name].default)
        if name not in _FREE and value is not None and found != value:
            raise UsageError(
                f"--model.{name} is {value!r}, but the checkpoint was trained with "
                f"{found!r}: leave the option away, or train anew"
            )
