"""Misspelt options are found before the libraries are imported.

The parser, which knows all options, takes seconds to be made; the names of most stand in source
that can be read at once. Whatever is not surely misspelt is left to the parser.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qgnn_lightning.cli._errors import UsageError

#: Group of options, and the module with the class whose arguments they are.
_CLASSES = {
    "model": ("qgnn_lightning", "lightning_module.py", "NodeClassifier"),
    "data": ("qgnn_lightning", "data/_datamodule.py", "GraphDataModule"),
    "trainer": ("lightning", "pytorch/trainer/trainer.py", "Trainer"),
}
#: Where options without a group are added.
_SOURCES = ("_command_line.py", "_prediction_options.py", "_packed_data.py")
_PLAIN = re.compile(r'"(--\w+)"')
_LIKENESS = 0.75
#: What options are called elsewhere.
_ALIASES = {"epochs": "max_epochs", "lr": "learning_rate"}


def check_option_names(arguments: Sequence[str]) -> None:
    """Refuse an option that there is not.

    Args:
        arguments: What stands behind the command.

    Raises:
        UsageError: If there is one; it names the option that was probably meant.
    """
    for one in arguments:
        if one[:1] == "-" and one[1:].partition(".")[0] in _CLASSES:
            raise UsageError(f"unknown option {one}: did you mean -{one}?")
    for option in [one.partition("=")[0] for one in arguments if one[:2] == "--"]:
        if "." in option:
            _check_grouped(option)
        else:
            _check_plain(option)


def _check_grouped(option: str) -> None:
    group, name = option.removeprefix("--").split(".")[:2]
    meant = difflib.get_close_matches(group, _CLASSES, n=1, cutoff=_LIKENESS)
    if not meant:
        return
    known = arguments_of(meant[0])
    if group != meant[0] or name.rstrip("+") not in known:
        name = _ALIASES.get(name, name)
        close = [name] if name in known else difflib.get_close_matches(name, known, n=1)
        hint = f": did you mean --{meant[0]}.{close[0]}?" if close else " (see --help)"
        raise UsageError(f"unknown option {option}{hint}")


def _check_plain(option: str) -> None:
    sources = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _SOURCES]
    known = ["--config", "--help", *_PLAIN.findall("".join(sources))]
    if option in known:
        return
    name = _ALIASES.get(option.removeprefix("--"), option.removeprefix("--"))
    grouped = [f"--{group}.{name}" for group in _CLASSES if name in arguments_of(group)]
    close = grouped or difflib.get_close_matches(option, known, n=1, cutoff=_LIKENESS)
    if close:
        raise UsageError(f"unknown option {option}: did you mean {' or '.join(close)}?")


@cache
def arguments_of(group: str) -> dict[str, ast.expr | None]:
    """The arguments of the class of a group, and their types, from its source.

    Args:
        group: ``model``, ``data`` or ``trainer``.
    """
    arguments = _init_of(group).args
    given = [*arguments.args[1:], *arguments.kwonlyargs]
    return {argument.arg: argument.annotation for argument in given}


def defaults_of(group: str) -> dict[str, Any]:
    """The values that the arguments of the class of a group have by default, from its source.

    Args:
        group: ``model`` or ``data``, whose defaults are numbers, texts and the like.
    """
    arguments = _init_of(group).args
    names = [argument.arg for argument in arguments.args[-len(arguments.defaults) :]]
    values = map(ast.literal_eval, arguments.defaults)
    return dict(zip(names, values, strict=True))


def _init_of(group: str) -> ast.FunctionDef:
    package, module, name = _CLASSES[group]
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse((Path(spec.origin).parent / module).read_text(encoding="utf-8"))
    classes = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    (init,) = (
        one
        for one in next(classes).body
        if isinstance(one, ast.FunctionDef) and one.name == "__init__"
    )
    return init
