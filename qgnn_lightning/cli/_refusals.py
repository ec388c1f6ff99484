"""What is made of options refuses the values that it cannot be made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException

from qgnn_lightning.cli._errors import UsageError, describe
from qgnn_lightning.errors import OptionError

#: What may be the short name of an option: words with an underscore, and what a rule begins with.
_SHORT_NAME = re.compile(r"(?<![\w.`/-])`?(\w*_\w+|^\w+(?= must ))`?(?![\w./])")


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
    """Errors that refuse the value of an option give its full name.

    Args:
        options: The options of the command.

    Raises:
        UsageError: In their place.
    """
    try:
        yield
    except OptionError as error:
        raise UsageError(with_full_names(describe(error), options)) from error


def with_full_names(message: str, options: Namespace) -> str:
    """A message with ``--model.num_steps`` where it says ``num_steps``.

    Args:
        message: The message; behind ``, got`` it quotes the user and stays as it is.
        options: The options of the command.
    """
    rule, got, value = message.partition(", got ")
    names = list(options.keys())

    def in_full(found: re.Match[str]) -> str:
        meant = [name for name in names if name.rpartition(".")[2] == found[1]]
        if len(meant) > 1:  # of several with one name, those that have the value
            meant = [name for name in meant if value in (str(options[name]), repr(options[name]))]
        return " or ".join(f"--{name}" for name in meant) or found[0]

    return _SHORT_NAME.sub(in_full, rule) + got + value
