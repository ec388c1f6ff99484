"""Configuration files named on the command line are read before the parser meets them."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from qgnn_lightning.cli._errors import UsageError

_OPTIONS = ("-c", "--config")
_SECTIONS = ("data", "model", "trainer")


def check_config_files(arguments: Sequence[str]) -> None:
    """Raise an error that names the file where one does not hold options.

    Args:
        arguments: The command line.

    Raises:
        UsageError: With the file and what is wrong in it.
    """
    for given in _config_files(arguments):
        path = Path(given)
        if path.is_file():
            read_config(path)
        elif path.exists():
            raise UsageError(f"--config: Path is not a file: {given}")
        elif isinstance(_as_yaml(given), str):  # and not options as they stand in a file
            raise UsageError(f"--config: File does not exist: {given}")


def _config_files(arguments: Sequence[str]) -> Iterator[str]:
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in _OPTIONS and equals:
            yield value
        elif name in _OPTIONS and position + 1 < len(arguments):
            yield arguments[position + 1]


def _as_yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def read_config(path: Path) -> dict[str, Any]:
    """The options in a configuration file.

    Args:
        path: The file.

    Raises:
        UsageError: If it does not hold options.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a configuration: it is not text in UTF-8") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML{_place(error, text)}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else reprlib.repr(content)
        raise UsageError(f"{path} must hold options such as 'model:', got {found}")
    for section in _SECTIONS:
        if not isinstance(content.get(section, {}), dict | None):
            raise UsageError(
                f"{path}: {section} must hold options such as '{section}.NAME: VALUE', "
                f"got {content[section]!r}"
            )
    return content


def _place(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    # What is missing at the end is marked behind the last line.
    line = min(mark.line + 1, len(text.splitlines()))
    return f": line {line}: {getattr(error, 'problem', None) or 'not understood'}"
