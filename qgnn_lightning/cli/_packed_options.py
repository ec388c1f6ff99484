"""Options of a training, where a packed file has decided the network already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ActionConfigFile

from qgnn_lightning.cli._command_line import SECTIONS_OF_TRAINING
from qgnn_lightning.cli._config_files import read_config
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.deploy import PackedGNN

_MODEL = "--model."


class ConfigOfData(ActionConfigFile):  # type: ignore[misc]
    """Reads a file of any experiment or run, and leaves out what only a training needs."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        content = read_config(Path(values)) if Path(values).is_file() else {}
        unused = [name for name in content if name in SECTIONS_OF_TRAINING]
        if unused:
            rest = {name: one for name, one in content.items() if name not in unused}
            values = yaml.safe_dump(rest)
        self.apply_config(parser, cfg, self.dest, values)


def without_model(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Take the options of the model out of a command line.

    Args:
        arguments: The command line.

    Returns:
        What is left, and the options of the model by name.
    """
    kept, typed = [], {}
    left = iter(arguments)
    for argument in left:
        if not argument.startswith(_MODEL):
            kept.append(argument)
            continue
        name, given, value = argument.removeprefix(_MODEL).partition("=")
        typed[name] = value if given else next(left, "")
    return kept, typed


def check_model(typed: dict[str, str], network: PackedGNN, path: Path) -> None:
    """Refuse typed options that a packed network does not agree with.

    Args:
        typed: Options of the model, by name.
        network: The packed network.
        path: Its file.

    Raises:
        UsageError: If one is another one, or cannot be compared.
    """
    known = _options(network)
    for name, value in typed.items():
        if name not in known:
            raise UsageError(f"--model.{name} {value}: {path} decides the model, leave it out")
        if value != known[name]:
            raise UsageError(
                f"--model.{name} {value} contradicts the packed network {path}, in which "
                f"{name} is {known[name]}"
            )


def _options(network: PackedGNN) -> dict[str, str]:
    """The options of the model that a packed network still knows."""
    propagation = network.propagation
    bits = {
        "input": network.encoder.input_grid.num_bits,
        "weight": network.encoder.weight_grid.num_bits,
        "activation": network.classifier.input_grid.num_bits,
        "message": propagation.grids[0].num_bits,
    }
    same = len(set(bits.values())) == 1
    stages = ", ".join(f"{stage} {number}" for stage, number in bits.items())
    return {
        "bits": f"int{bits['input']}" if same else stages,
        **{f"stage_bits.{stage}": str(number) for stage, number in bits.items()},
        "hidden_features": str(network.encoder.out_features),
        "num_steps": str(propagation.num_steps),
        "messages": propagation.form,
        "order": network.order,
        "num_features": str(network.num_features),
        "num_classes": str(network.num_classes),
    }
