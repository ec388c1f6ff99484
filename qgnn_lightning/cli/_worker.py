"""A process that runs one `qgnn fit` after another: the libraries are loaded once.

Takes lines of JSON with ``command``, ``arguments`` and ``log``, and answers each with an exit
code. What a run prints goes to its log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgnn_lightning.cli._errors import complain, exit_code
from qgnn_lightning.cli._main import main

if TYPE_CHECKING:
    from qgnn_lightning.cli._command_line import CommandLine


def serve() -> None:
    """Do what comes in on the standard input until it ends."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            request = json.loads(line)
            with _printing_to(Path(request["log"])):
                code = _COMMANDS[request["command"]](request["arguments"])
            print(code, file=answers, flush=True)
            if code > 128:  # stopped by a signal
                return


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Whatever this process and its libraries print goes to a file."""
    before = [os.dup(1), os.dup(2)]
    with log.open("w", encoding="utf-8") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, handle in zip((1, 2), before, strict=True):
            os.dup2(handle, number)
            os.close(handle)


def _fit(arguments: list[str]) -> int:
    from qgnn_lightning.run import heeding_requeuing

    with heeding_requeuing():
        return main(["fit", *arguments])


def check_options(arguments: list[str]) -> int:
    """Read options of ``qgnn fit``, and make model and data of them, without reading any data.

    What is wrong is printed.

    Args:
        arguments: What would be typed after ``qgnn fit``.

    Returns:
        The exit code.
    """
    return _checked(arguments, _leave_alone)


def check_data(arguments: list[str]) -> int:
    """Read the graph as ``qgnn fit`` would, and check it and its split; arguments as above."""
    return _checked(arguments, _read)


def _leave_alone(_: CommandLine) -> None:
    """Made of the options, and so checked."""


def _read(made: CommandLine) -> None:
    from qgnn_lightning.cli._refusals import named_in_full

    options = made.options.clone()
    options["config"] = None  # written for this process, nothing that the user knows of
    with named_in_full(options):
        made.datamodule.prepare_data()
        made.datamodule.choose_split(made.datamodule.read())


def _checked(arguments: list[str], look_at: Callable[[CommandLine], None]) -> int:
    from qgnn_lightning.cli._command_line import CommandLine
    from qgnn_lightning.cli._quiet import quiet

    class OptionsOnly(CommandLine):
        def instantiate_trainer(self, **kwargs: Any) -> Any:
            pass

        def _run_subcommand(self, subcommand: str) -> None:
            pass

    try:
        with quiet():
            look_at(OptionsOnly(["fit", *arguments]))
    except Exception as error:
        complain("qgnn fit", error)
        return exit_code(error)
    return 0


_COMMANDS = {"fit": _fit, "check_options": check_options, "check_data": check_data}

if __name__ == "__main__":
    serve()
