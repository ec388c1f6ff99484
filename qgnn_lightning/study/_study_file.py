"""Studies as YAML files."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgnn_lightning.study._options import (
    Options,
    StudyError,
    flatten,
    load_yaml,
    merge,
    read_config,
)
from qgnn_lightning.study._seeds import parse_seeds
from qgnn_lightning.study._study import Study

_KEYS = ("base", "axes", "seeds", "exclude")


def read_study(path: Path, typed: Options) -> Study:
    """Read a study.

    .. code-block:: yaml

        base:                                 # later entries win
          - ../../configs/data/cora.yaml      # relative to this file
          - trainer.max_epochs: 200
        axes:
          bits:                               # a name and its options
            two: {model.bits: int2}
            four: ../../configs/model/int4.yaml
          model.num_steps: [10, 64]           # an option and its values
        seeds: 0..9
        exclude:
          - {bits: two, model.num_steps: [64]}

    Args:
        path: The file.
        typed: Options that win over the base.

    Raises:
        StudyError: If the file cannot be read, or something in it is unknown or contradictory.
    """
    content = load_yaml(path)
    if not isinstance(content, dict):
        raise StudyError(f"{path} must be a mapping with {', '.join(_KEYS)}")
    try:
        _check_keys(content)
        axes = {str(axis): _axis(str(axis), one, path) for axis, one in _axes(content).items()}
        _check_typed(typed, axes)
        return Study(
            name=path.stem,
            base=merge(_layer(content.get("base") or [], path, "base"), typed),
            axes=axes,
            seeds=parse_seeds(content.get("seeds", 10)),
            exclude=tuple(_excluded(one) for one in content.get("exclude") or []),
        )
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from error


def _check_keys(content: Mapping[Any, Any]) -> None:
    for key in content:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(_KEYS)}"
            raise StudyError(f"unknown key {key!r}: {hint}")


def _axes(content: Mapping[str, Any]) -> Mapping[Any, Any]:
    axes = content.get("axes") or {}
    if not isinstance(axes, dict):
        raise StudyError(f"axes must be a mapping of names to values, got {axes!r}")
    return axes


def _axis(axis: str, given: Any, path: Path) -> dict[str, Options]:
    """The values of an axis: options by name, or a list of values of the option it is named for."""
    if isinstance(given, list) and given:
        if "." not in axis:
            raise StudyError(
                f"axis {axis!r} lists values, so its name must be an option such as model.bits; "
                "or give every value a name and its options"
            )
        return {_label(value): {axis: value} for value in given}
    if not isinstance(given, dict) or not given:
        raise StudyError(f"axis {axis!r} must have values: a mapping or a list, got {given!r}")
    return {
        _label(value): _layer(one, path, f"{axis}={_label(value)}") for value, one in given.items()
    }


def _label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _layer(given: Any, path: Path, where: str) -> Options:
    """Options from a mapping, a configuration file, or a list of these."""
    if given is None:
        return {}
    if isinstance(given, list):
        return merge(*(_layer(one, path, where) for one in given))
    if isinstance(given, str):
        return read_config(path.parent / given)
    if isinstance(given, dict):
        options = flatten(given)
        check_names(options, where)
        return options
    raise StudyError(f"{where} must be options or a configuration file, got {given!r}")


def check_names(options: Options, where: str) -> None:
    """Refuse options that belong to a single run.

    Args:
        options: The options.
        where: What holds them.

    Raises:
        StudyError: If there is one.
    """
    reasons = {
        "seed_everything": "seeds says which seeds are run",
        "run_dir": "every run has a folder of its own",
        "ckpt_path": "every run starts anew",
        "config": "base names configuration files",
    }
    for name in options:
        if name in reasons:
            raise StudyError(f"{where} must not set {name}: {reasons[name]}")


def _check_typed(typed: Options, axes: Mapping[str, Mapping[str, Options]]) -> None:
    check_names(typed, "the command line")
    for axis, values in axes.items():
        for options in values.values():
            for name in typed:
                if name in options:
                    raise StudyError(f"--{name} contradicts axis {axis!r}, which sets it")


def _excluded(given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not given:
        raise StudyError(f"exclude must list mappings of axes to values, got {given!r}")
    return {
        str(axis): tuple(map(_label, one if isinstance(one, list) else [one]))
        for axis, one in given.items()
    }
