"""What is made of options refuses the values that it cannot be made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException

from qgnn_lightning.cli._config_files import read_config
from qgnn_lightning.cli._errors import UsageError, describe
from qgnn_lightning.errors import OptionError

#: What may be the short name of an option: words with an underscore, and what a rule begins with.
_SHORT_NAME = re.compile(r"(?<![\w.`/-])`?(\w*_\w+|^\w+(?= must )|[a-z]+\.\w+)`?(?![\w./])")


@contextmanager
def made_of_options(options: Namespace) -> Iterator[None]:
    """Errors about values, where objects are made of options alone, are errors of the user.

    Args:
        options: The options of the command.

    Raises:
        UsageError: In their place, with the full names of options.
    """
    try:
        yield
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UsageError(with_full_names(describe(error), options)) from error


@contextmanager
def named_in_full(options: Namespace) -> Iterator[None]:
    """Errors that refuse the value of an option give its full name; of a path, where it is from.

    Args:
        options: The options of the command.

    Raises:
        UsageError: In their place.
    """
    try:
        yield
    except OptionError as error:
        message = with_full_names(describe(error), options)
        raise UsageError(f"{message}{_where_root_is_from(options)}") from error


def _where_root_is_from(options: Namespace) -> str:
    """Why there may be nothing at ``--data.root``, as the end of an error, or nothing."""
    root = options["data"]["root"]
    if not root or Path(root).expanduser().is_absolute() or Path(root).exists():
        return ""
    files = [Path(str(one)) for one in options.get("config") or []]
    naming = [one for one in files if one.is_file() and _root_in(one) == root]
    of_file = f" of {naming[-1]}" if naming else ""
    return f"; --data.root{of_file} is looked up from the current folder, {Path.cwd()}"


def _root_in(config: Path) -> Any:
    """The option ``--data.root`` in a configuration file."""
    return (read_config(config).get("data") or {}).get("root")


def with_full_names(message: str, options: Namespace) -> str:
    """A message with ``--model.num_steps`` where it says ``num_steps``.

    Args:
        message: The message; behind ``, got`` it quotes the user and stays as it is.
        options: The options of the command.
    """
    rule, got, value = message.partition(", got ")
    names = list(options.keys())

    def in_full(found: re.Match[str]) -> str:
        meant = [name for name in names if found[1] in (name, name.rpartition(".")[2])]
        if len(meant) > 1:  # of several with one name, those that have the value
            meant = [name for name in meant if value in (str(options[name]), repr(options[name]))]
        return " or ".join(f"--{name}" for name in meant) or found[0]

    return _SHORT_NAME.sub(in_full, rule) + got + value
