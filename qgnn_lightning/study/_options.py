"""Options of ``qgnn fit`` as one flat mapping from dotted names to values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from qgnn_lightning.errors import OptionError

Options = dict[str, Any]


class StudyError(OptionError):
    """A study, or an option of one, is wrong."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML in which ``1e-3`` is a number, as ``qgnn fit`` reads it."""


_FLOAT = re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def load_yaml(path: Path) -> Any:
    """Content of a YAML file.

    Args:
        path: The file.

    Raises:
        StudyError: If it cannot be read.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise StudyError(f"{path} is not YAML: {error}") from error


def read_config(path: Path) -> Options:
    """The options in a configuration file of ``qgnn fit``.

    Args:
        path: The file. Its seed is left out: a study has seeds of its own.

    Raises:
        StudyError: If it cannot be read or holds no options.
    """
    content = load_yaml(path)
    if not isinstance(content, dict):
        raise StudyError(f"{path} must be a mapping of options, got {content!r}")
    options = flatten(content)
    options.pop("seed_everything", None)
    return options


def parse_value(text: str) -> Any:
    """The value of an option on the command line."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        return text


def flatten(nested: dict[Any, Any], prefix: str = "") -> Options:
    """``{"model": {"bits": "int2"}}`` and ``{"model.bits": "int2"}`` -> the latter."""
    flat: Options = {}
    for name, value in nested.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def nest(options: Options) -> dict[str, Any]:
    """Inverse of :func:`flatten`."""
    nested: dict[str, Any] = {}
    for name, value in options.items():
        *sections, last = name.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return nested


def merge(*layers: Options) -> Options:
    """One mapping in which later layers win.

    A section takes the place of an earlier value of the same name, and the other way round.

    Args:
        layers: From the weakest to the strongest.
    """
    merged: Options = {}
    for layer in layers:
        for name, value in layer.items():
            for other in [one for one in merged if _replaces(name, one)]:
                del merged[other]
            merged[name] = value
    return merged


def _replaces(name: str, other: str) -> bool:
    return other.startswith(f"{name}.") or name.startswith(f"{other}.")


def to_yaml(options: Options) -> str:
    """A configuration file of ``qgnn fit``."""
    text: str = yaml.safe_dump(nest(options), sort_keys=False)
    return text
