"""The parser: whole option names only, and errors of one line."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from qgnn_lightning.cli._choices import close_choice
from qgnn_lightning.cli._config_files import check_config_files
from qgnn_lightning.cli._errors import UsageError

_REWRITES = (
    (r"Parser key \"([^\"]*)\":", r"--\1:"),
    (r"Does not validate against any of the Union subtypes\s+Subtypes: \[(.*)\]\s+Errors:.*"
     r"Given value: (.*)", r"expected \1, got \2"),
    (r"Not of type Seed: .*", "expected a whole number from 0 to 4294967295"),
    (r"typing\.Literal\[([^\]]*)\]", r"one of \1"),
    (r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1"),
    (r"\s*- Expected a path but \S+ either not accessible or invalid\s*-?", " "),
    (r"(?:[\w]+\.)+([A-Z]\w+)", r"\1"),
    (r"Expected a dot import path string", "not a known class or an import path"),
    (r"Expected an? ", "expected "),
    (r"\. Got value: ", ", got "),
    (r"^(--\S+):\s+expected ", r"\1 must be "),
    (r", NoneType(?=.*, got )", " or null"),
    (r"dict\[str, int\](?=.*, got )", "whole numbers by name"),
    (r"\bint\b(?=.*, got \[)", "whole numbers"),
    (r"\bint\b(?=.*, got )", "a whole number"),
    (r"\bfloat\b(?=.*, got )", "a number"),
    (r"\bbool\b(?=.*, got )", "true or false"),
    (r"\bstr\b(?=.*, got )", "a text"),
    (r", got None$", ", got nothing (null)"),
)  # fmt: skip
_UNKNOWN = re.compile(r"unrecognized arguments: (?:--)?([^\s=-][^\s=]*)|accept option '([\w.]+)'")
#: What a file is named with.
_OF_ENDINGS = {
    ".npz": "--data.source npz --data.root",
    ".yaml": "-c",
    ".yml": "-c",
    ".ckpt": "--ckpt_path",
    ".safetensors": "--packed",
}
_OPTIMIZER = (
    "the optimizer is always Adam: set --model.learning_rate, --model.weight_decay, "
    "--model.range_learning_rate and --model.lr_decay"
)


class CommandParser(LightningArgumentParser):
    """Refuses shortened option names, and raises :class:`UsageError` where argparse exits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False, "prog": "qgnn"})

    def parse_args(self, args: Sequence[str] | None = None, *more: Any, **kwargs: Any) -> Any:
        """As jsonargparse does, once every configuration file is known to hold options."""
        check_config_files(sys.argv[1:] if args is None else list(args))
        return super().parse_args(args, *more, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of printing all options.

        Args:
            message: What is wrong.
            ex: The exception behind it.
        """
        if not self.exit_on_error:  # an attempt inside of the parser, which goes on
            super().error(message, ex)
        raise UsageError(clean(message)) from ex


def clean(message: str) -> str:
    """The parser's message in the words of a command line."""
    for pattern, replacement in _REWRITES:
        message = re.sub(pattern, replacement, message, flags=re.DOTALL)
    return message + close_choice(message)


def _named_by(word: str) -> str:
    """The option that a word without one was probably meant for, as the end of a message."""
    path = Path(word).expanduser()
    if path.is_dir():
        return f": did you mean --data.source files --data.root {word}?"
    option = _OF_ENDINGS.get(path.suffix) if path.is_file() else None
    return f": did you mean {option} {word}?" if option else " (see --help)"


def with_suggestion(message: str, options: Iterable[str]) -> str:
    """Add the option that an unknown one was probably meant to be.

    Args:
        message: The parser's message.
        options: All options, with their dashes.
    """
    found = _UNKNOWN.search(message)
    if found is None:
        return message
    name = found[1] or found[2]
    if found[1] and f"--{name}" not in message:
        return f"{message}{_named_by(found[1])}"
    if name.split(".")[0] in ("optimizer", "lr_scheduler"):
        return f"unknown option --{name}: {_OPTIMIZER}"
    close = difflib.get_close_matches(f"--{name}", list(options), n=1, cutoff=0.75)
    hint = f": did you mean {close[0]}?" if close else " (see --help)"
    return f"unknown option --{name}{hint}" if "--" + name in message or found[2] else message
