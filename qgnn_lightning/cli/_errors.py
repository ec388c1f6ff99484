"""Errors as the user sees them: one line, and an exit code."""

from __future__ import annotations

import re
import sys

from qgnn_lightning.cli._terminal import printable
from qgnn_lightning.errors import OptionError

FAILED = 1
WRONG_USAGE = 2
_LONGEST = 600
#: torch's own words, with the place in its code before them.
_NO_MEMORY = re.compile(r"DefaultCPUAllocator: .*you tried to allocate (\d+) bytes", re.DOTALL)


class UsageError(Exception):
    """The command line or a configuration file is wrong."""


class FaultsError(Exception):
    """Faults that are told together: the arguments, a line for each, and one that counts them."""


def exit_code(error: Exception) -> int:
    """The exit code after an error.

    Args:
        error: What happened.
    """
    return WRONG_USAGE if isinstance(error, UsageError | OptionError) else FAILED


def one_line(text: str) -> str:
    """A message without line breaks and control characters."""
    line = printable(re.sub(r"\s+", " ", text).strip())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def complain(program: str, error: BaseException) -> None:
    """Print an error on the standard error.

    Args:
        program: Name of the command.
        error: What happened.
    """
    for text in error.args if isinstance(error, FaultsError) else [describe(error)]:
        print(f"{program}: error: {one_line(text)}", file=sys.stderr)


def describe(error: BaseException) -> str:
    """What an error says; with its type where the message alone would not be understood."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f": {error.filename}"
        return f"{error.strerror}{name}"
    asked = _NO_MEMORY.search(text)
    if asked is not None:
        return f"not enough memory: {int(asked[1]) / 2**30:,.1f} GiB asked for at once"
    if " " in text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
