"""Misspelt options of the model and the data are found before the libraries are imported.

The parser, which knows all options, takes seconds to be made; the names of these stand in our own
source. Whatever is not surely misspelt is left to the parser.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from pathlib import Path

from qgnn_lightning.cli._errors import UsageError

_PACKAGE = Path(__file__).parents[1]
#: Group of options, and the class whose arguments they are.
_CLASSES = {
    "model": (_PACKAGE / "lightning_module.py", "NodeClassifier"),
    "data": (_PACKAGE / "data" / "_datamodule.py", "GraphDataModule"),
}


def check_option_names(arguments: Sequence[str]) -> None:
    """Refuse an option of the model or the data that there is not.

    Args:
        arguments: What stands behind the command.

    Raises:
        UsageError: If there is one; it names the option that was probably meant.
    """
    for one in arguments:
        if one[:1] == "-" and one[1:].partition(".")[0] in _CLASSES:
            raise UsageError(f"unknown option {one}: did you mean -{one}?")
    names = [one.removeprefix("--").partition("=")[0] for one in arguments if one[:2] == "--"]
    dotted = [name.split(".") for name in names if "." in name]
    if not dotted:
        return
    known = {group: _arguments(*place) for group, place in _CLASSES.items()}
    for group, name, *rest in dotted:
        meant = difflib.get_close_matches(group, known, n=1, cutoff=0.75)
        if meant and name.rstrip("+") not in known.get(group, ()):
            typed = ".".join([group, name, *rest])
            close = difflib.get_close_matches(name, known[meant[0]], n=1)
            hint = f": did you mean --{meant[0]}.{close[0]}?" if close else " (see --help)"
            raise UsageError(f"unknown option --{typed}{hint}")


def _arguments(path: Path, name: str) -> list[str]:
    """The arguments of a class, from its source."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    (init,) = (
        one
        for one in next(classes).body
        if isinstance(one, ast.FunctionDef) and one.name == "__init__"
    )
    return [argument.arg for argument in init.args.args[1:]]
