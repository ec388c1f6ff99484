"""Whether the arguments of a model are those of a run before."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

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


#: Of those, what the optimizer of a training that goes on keeps.
_OF_OPTIMIZER = ("part_weight_decay", "lr_decay", "lr_decay_every")


def check_schedule(stored: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
    """Refuse typed arguments that a training which goes on could not follow.

    Args:
        stored: The model's arguments in the checkpoint.
        typed: Those on the command line and in configuration files.

    Raises:
        UsageError: If they contradict each other; both values are named.
    """
    for name in _OF_OPTIMIZER:
        if typed.get(name) is not None and name in stored and typed[name] != stored[name]:
            raise UsageError(
                f"--model.{name} is {typed[name]!r}, but the checkpoint was trained with "
                f"{stored[name]!r}, which cannot change on the way: leave the option away, "
                "or train anew"
            )


def check_agreement(
    stored: Mapping[str, Any],
    typed: Mapping[str, Any],
    who: str = "the checkpoint was trained with",
    otherwise: str = "leave the option away, or train anew",
) -> None:
    """Refuse typed arguments that would give the stored weights another meaning.

    Args:
        stored: The model's arguments in the checkpoint.
        typed: Those on the command line and in configuration files.
        who: What the stored arguments belong to, in the message.
        otherwise: What can be done, in the message.

    Raises:
        UsageError: If they contradict each other; both values are named.
    """
    parameters = signature(NodeClassifier).parameters
    for name, value in typed.items():
        # A checkpoint of an earlier version does not have every argument yet.
        found = stored.get(name, parameters[name].default)
        if name not in _FREE and value is not None and found != value:
            raise UsageError(f"--model.{name} is {value!r}, but {who} {found!r}: {otherwise}")
