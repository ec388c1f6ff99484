"""Numbers that Lightning's trainer refuses in words of its own, or stumbles over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.accelerators import AcceleratorRegistry

from qgnn_lightning.cli._errors import UsageError

#: What -1 means where it is allowed; every other number is at least 1.
_WITHOUT_END = ", or -1 for no end"
_RULES = {
    "max_epochs": _WITHOUT_END,
    "max_steps": _WITHOUT_END,
    "accumulate_grad_batches": "",
    "check_val_every_n_epoch": "",
}


def check_trainer(options: Mapping[str, Any]) -> None:
    """Refuse numbers of epochs or steps that there cannot be.

    Args:
        options: The options of the trainer, by name.

    Raises:
        UsageError: If one is out of its range.
    """
    for name, besides in _RULES.items():
        value = options[name]
        if value is not None and value < 1 and not (besides and value == -1):
            raise UsageError(f"--trainer.{name} must be at least 1{besides}, got {value}")


def check_accelerator(name: Any) -> None:
    """Refuse hardware that this machine does not have.

    Args:
        name: The option of the trainer; an accelerator of one's own is not looked at.

    Raises:
        UsageError: If it is not there.
    """
    known = {one: AcceleratorRegistry[one]["accelerator"] for one in sorted(AcceleratorRegistry)}
    there = [one for one, accelerator in known.items() if accelerator.is_available()]
    gpu = ["gpu"] if {"cuda", "mps"} & {*there} else []
    choices = ["auto", *there, *gpu]
    if isinstance(name, str) and name.lower() not in choices:
        raise UsageError(
            f"--trainer.accelerator must be one that this machine has, {', '.join(choices)}, "
            f"got {name}"
        )
