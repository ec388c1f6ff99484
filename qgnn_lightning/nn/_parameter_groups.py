"""What an optimizer does to which parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

_OF_RANGES = ".alpha"


def parameter_groups(
    network: nn.Module,
    *,
    learning_rate: float,
    weight_decay: Mapping[str, float],
    range_learning_rate: float,
) -> list[dict[str, Any]]:
    """Groups of an optimizer: the weights by their decay, and the learned ranges, without any.

    Args:
        network: The network.
        learning_rate: Learning rate of the weights.
        weight_decay: L2 penalty of the parts of the network, by name; ``""`` is the whole.
        range_learning_rate: Learning rate of the ranges.

    Raises:
        ValueError: If ``weight_decay`` names no part of the network.
    """
    found: dict[str, list[nn.Parameter]] = {part: [] for part in weight_decay}
    ranges: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if name.endswith(_OF_RANGES):
            ranges.append(parameter)
        else:
            found[_owner(name, weight_decay)].append(parameter)
    for part, parameters in found.items():
        if part and not parameters:
            children = [name for name, _ in network.named_children()]
            raise ValueError(
                f"part_weight_decay must name parts of the network ({', '.join(children)}), "
                f"got {part!r}"
            )
    groups: list[dict[str, Any]] = [
        {
            "name": f"weights of {part}" if part else "weights",
            "params": found[part],
            "lr": learning_rate,
            "weight_decay": decay,
        }
        for part, decay in weight_decay.items()
        if found[part]
    ]
    if ranges:
        groups.append({"name": "ranges", "params": ranges, "lr": range_learning_rate})
    return groups


def change_rates(
    checkpoint: dict[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Give a training that goes on the learning rates and the penalty that it is to have now.

    Where nothing changes, nothing is touched. A rate that has decayed stays as much smaller.

    Args:
        checkpoint: Its checkpoint, with optimizers of :func:`parameter_groups`; changed in place.
        before: The arguments of the model in it.
        now: Those of the model that goes on.
    """
    optimizers = checkpoint.get("optimizer_states", [])
    groups = [group for one in optimizers for group in one["param_groups"]]
    for group in groups:
        rate = "range_learning_rate" if group["name"] == "ranges" else "learning_rate"
        if now[rate] != before[rate]:
            group["lr"] *= now[rate] / before[rate]
            group["initial_lr"] = now[rate]
        if group["name"] == "weights" and now["weight_decay"] != before["weight_decay"]:
            group["weight_decay"] = now["weight_decay"]
    for schedule in checkpoint.get("lr_schedulers", []):
        schedule["base_lrs"] = [group["initial_lr"] for group in groups]
        schedule["_last_lr"] = [group["lr"] for group in groups]


def _owner(name: str, parts: Mapping[str, float]) -> str:
    """The smallest part that a parameter belongs to."""
    return max((part for part in parts if name.startswith(f"{part}.")), key=len, default="")
