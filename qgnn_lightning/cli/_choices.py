"""Values of options that are one of a few words."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Sequence

import yaml

from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._option_names import arguments_of

_OPTION = re.compile(r"--(model|data)\.(\w+)")
#: What a configuration file could hold as one value; the parser knows more.
_WORD = re.compile(r"[\w-]+")
_CHOICES = re.compile(r"must be one of (.*), got (\S+)$")
#: Least likeness of a choice and what was typed.
_CLOSE = 0.6


def check_choices(arguments: Sequence[str]) -> None:
    """Refuse a value that is none of the choices of its option, where its type lists them.

    As with the names of options, the parser, which takes seconds to be made, would say the same.

    Args:
        arguments: What stands behind the command.

    Raises:
        UsageError: If there is one; it names the choice that was probably meant.
    """
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        found = _OPTION.fullmatch(option)
        if found is None:
            continue
        if not equals:
            value = "".join(arguments[position + 1 : position + 2])
        choices = _choices(arguments_of(found[1]).get(found[2]))
        if choices and _WORD.fullmatch(value) and yaml.safe_load(value) not in (None, *choices):
            message = f"{option} must be one of {', '.join(map(repr, choices))}, got {value}"
            raise UsageError(message + close_choice(message))


def _choices(annotation: ast.expr | None) -> tuple[str | int, ...]:
    """The choices in a type, where it is a ``Literal``."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal":
        choices = ast.literal_eval(annotation.slice)
        return choices if isinstance(choices, tuple) else (choices,)
    return ()


def close_choice(message: str) -> str:
    """The one of some choices that was probably meant, as the end of a message, or nothing.

    Args:
        message: It ends with the choices and with what was typed.
    """
    found = _CHOICES.search(message)
    if found is None:
        return ""
    likeness = {
        choice: difflib.SequenceMatcher(None, found[2], choice).ratio()
        for choice in re.findall(r"'([^']*)'", found[1])
    }
    if not likeness:  # of numbers none is meant more than another
        return ""
    best = max(likeness, key=likeness.__getitem__)
    is_close = likeness[best] >= _CLOSE or found[2] in best
    alone = list(likeness.values()).count(likeness[best]) == 1
    return f": did you mean {best}?" if is_close and alone else ""
