"""Ranges of the numbers that a training is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_training_options(options: Mapping[str, Any]) -> None:
    """Refuse numbers that no training can use.

    Args:
        options: Learning rates, penalties and weights of the losses, by the names that
            ``NodeClassifier`` gives them.

    Raises:
        ValueError: If one is out of range.
    """
    rules = {
        "learning_rate": (options["learning_rate"] > 0, "positive"),
        "weight_decay": (options["weight_decay"] >= 0, "at least 0"),
        "part_weight_decay": (
            all(decay >= 0 for decay in (options["part_weight_decay"] or {}).values()),
            "at least 0 for each part",
        ),
        "range_learning_rate": (options["range_learning_rate"] >= 0, "at least 0"),
        "lr_decay": (0 < options["lr_decay"] <= 1, "in (0, 1]"),
        "lr_decay_every": (options["lr_decay_every"] >= 1, "at least 1"),
        "distillation_weight": (0 <= options["distillation_weight"] <= 1, "in [0, 1]"),
        "temperature": (options["temperature"] > 0, "positive"),
        "consistency": (options["consistency"] >= 0, "at least 0"),
        "sharpening": (0 < options["sharpening"] <= 1, "in (0, 1]"),
    }
    for name, (holds, rule) in rules.items():
        if not holds:
            raise ValueError(f"{name} must be {rule}, got {options[name]}")
