"""``qgnn completion``: a script that completes commands, options and choices in a shell."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from qgnn_lightning.cli._bench_options import bench_parser
from qgnn_lightning.cli._command_line import CommandLine
from qgnn_lightning.cli._data import data_parser
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._html_report import report_parser
from qgnn_lightning.cli._packed_commands import export_parser, info_parser
from qgnn_lightning.cli._predict_packed import predict_packed_parser
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.cli._study import seeds_parser, study_parser
from qgnn_lightning.cli._test_packed import test_packed_parser

SHELLS = ("bash", "zsh")
#: Choices by option; without choices an option takes anything, or nothing.
Options = dict[str, tuple[str, ...]]

_FUNCTION = """\
_qgnn() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="${{COMP_WORDS[1]}}" words=""
    # bash takes "=" for a word of its own.
    if [ "$current" = "=" ]; then
        current=""
    elif [ "$previous" = "=" ]; then
        previous="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        words={commands}
    elif [ "$COMP_CWORD" -eq 2 ] && [ "${{current#-}}" = "$current" ]; then
        case "$command" in
{subcommands}
        esac
    fi
    if [ -z "$words" ]; then
        case "$command $previous" in
{choices}
        esac
        if [ -z "$words" ]; then
            case "$command" in
{options}
            esac
        fi
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _qgnn qgnn
"""


def run_completion(
    arguments: list[str], commands: Sequence[str], subcommands: Mapping[str, tuple[str, ...]]
) -> None:
    """Print the script.

    Args:
        arguments: What stands behind ``qgnn completion``.
        commands: The commands.
        subcommands: Words that follow some of them.

    Raises:
        UsageError: If no shell, or an unknown one, is named.
    """
    if arguments in (["-h"], ["--help"]):
        print(
            "usage: qgnn completion bash|zsh\n\nPrints a script; store it where your shell looks."
        )
        return
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        raise UsageError(f"qgnn completion is followed by {' or '.join(SHELLS)}")
    with quiet():
        options = {command: command_options(command) for command in commands}
    if arguments[0] == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    print(completion_script(options, subcommands), end="")


def command_options(command: str) -> Options:
    """The options of a command, or the words that are all that may follow it.

    Args:
        command: The command.
    """
    if command in _WORDS:
        return dict.fromkeys(_WORDS[command], ())
    if command in ("fit", "validate", "test", "predict"):
        found = _options(_LightningOptions(command).parsers)
        return found | _options([_PACKED[command]()]) if command in _PACKED else found
    found = _options([_PARSERS[command]()])
    if command in ("seeds", "study"):
        fit = _options(_LightningOptions("fit").parsers)
        return {name: choices for name, choices in fit.items() if "." in name} | found
    return found


_PACKED: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "predict": predict_packed_parser,
    "test": test_packed_parser,
}
_PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "data": data_parser,
    "export": export_parser,
    "info": info_parser,
    "report": report_parser,
    "seeds": seeds_parser,
    "study": study_parser,
    "bench": bench_parser,
}
_WORDS: dict[str, tuple[str, ...]] = {
    "list": (),
    "completion": SHELLS,
}


def completion_script(
    options: Mapping[str, Options], subcommands: Mapping[str, tuple[str, ...]]
) -> str:
    """The script for bash.

    Args:
        options: Options of each command.
        subcommands: Words that follow a command before its options.
    """
    cases = [
        (f"{command} {option}", choices)
        for command, found in options.items()
        for option, choices in found.items()
        if choices
    ]
    return _FUNCTION.format(
        commands=shlex.quote(" ".join(options)),
        subcommands="\n".join(_case(name, words, 12) for name, words in subcommands.items()),
        choices="\n".join(_case(pattern, words, 8) for pattern, words in cases),
        options="\n".join(_case(command, tuple(found), 12) for command, found in options.items()),
    )


def _case(pattern: str, words: tuple[str, ...], indent: int) -> str:
    return f"{' ' * indent}{shlex.quote(pattern)}) words={shlex.quote(' '.join(words))};;"


def _options(parsers: Iterable[argparse.ArgumentParser]) -> Options:
    return {name: choices for parser in parsers for name, choices in _of_parser(parser)}


def _of_parser(parser: argparse.ArgumentParser) -> Iterator[tuple[str, tuple[str, ...]]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _of_parser(inner)
        elif action.help != argparse.SUPPRESS:
            for option in action.option_strings:
                yield option, _choices(action)


def _choices(action: argparse.Action) -> tuple[str, ...]:
    """What may follow an option, where that is a list: as argparse or a type hint has it."""
    if action.choices is not None:
        return tuple(map(str, action.choices))
    shown = str(action.metavar or "")
    return tuple(shown[1:-1].split(",")) if shown.startswith("{") else ()


class _Found(Exception):  # noqa: N818
    """Carries the parser out of the construction of the command line."""


class _LightningOptions(CommandLine):
    """The parser of a command of Lightning's, before anything is parsed."""

    def __init__(self, command: str) -> None:
        self.parsers: list[argparse.ArgumentParser] = []
        try:
            super().__init__([command])
        except _Found:
            self.parsers.append(self._subcommand_parsers[command])

    def parse_arguments(self, parser: Any, args: Any) -> None:
        raise _Found
