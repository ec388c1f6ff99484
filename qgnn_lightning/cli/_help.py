"""The help of commands with hundreds of options: those that people use, or one group of them."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

from qgnn_lightning.cli._errors import UsageError

#: By the heading under which they stand.
_USED: dict[str, tuple[str, ...]] = {
    "run": (
        *("--config", "--run_dir", "--resume", "--ckpt_path", "--export"),
        *("--dry_run", "--quiet", "--seed_everything", "--observers"),
    ),
    "data": (*("--data.source", "--data.name", "--data.root", "--data.split", "--data.batching"),),
    "model": (
        *("--model.bits", "--model.architecture", "--model.num_steps", "--model.hidden_features"),
        *("--model.dropout", "--model.propagation", "--model.messages", "--model.quantizer"),
        *("--model.consistency", "--model.learning_rate"),
    ),
    "trainer": ("--trainer.max_epochs", "--trainer.accelerator", "--trainer.devices"),
}
#: The same of the commands that take a trained network, whose checkpoint decides the model.
_USED_OF_TRAINED: dict[str, tuple[str, ...]] = {
    "network": ("--ckpt_path",),
    "data": ("--config", "--data.source", "--data.name", "--data.root", "--data.split"),
    "output": ("--output", "--every_probability"),
    "trainer": ("--trainer.accelerator",),
}
_GROUPS = ("data", "model", "trainer")
_TOPICS = ("all", *_GROUPS, "observers")
_EPILOG = """
These are the options that are used most; in full, every one:
  qgnn {command} --help all
and those of one part: --help data, --help model, --help trainer, --help observers.
`qgnn list` shows the configurations there are for -c."""
_WIDTH = 96
_LONGEST_CHOICES = 60


def help_topic(arguments: Sequence[str], topics: Sequence[str] = _TOPICS) -> str | None:
    """What help is asked for; ``None`` where none is, and an empty text for the short one.

    Args:
        arguments: The command and its options.
        topics: What may be asked for.

    Raises:
        UsageError: If there is no such topic.
    """
    asked = [index for index, one in enumerate(arguments) if one in ("-h", "--help")]
    if not asked:
        return None
    topic = "".join(arguments[asked[0] + 1 : asked[0] + 2])
    if topic.startswith("-"):
        return ""
    if topic and topic not in topics:
        raise UsageError(f"--help is followed by {', '.join(topics)} or nothing, got {topic!r}")
    return topic


def format_topic(parser: argparse.ArgumentParser, command: str, topic: str) -> str:
    """The help on a topic; what does not belong to it is hidden in the parser from then on.

    Args:
        parser: The parser of the command.
        command: Its name.
        topic: What :func:`help_topic` gave.
    """
    if not topic:
        return "\n".join(_brief(parser, command)) + "\n"
    if topic != "all":
        parser.usage = f"qgnn {command} [options]"
        belongs = _belongs(topic)
        for action in parser._actions:
            if not any(map(belongs, action.option_strings)):
                action.help = argparse.SUPPRESS
    return format_all(parser)


def format_all(parser: argparse.ArgumentParser) -> str:
    """The help on every option that is not hidden; their docstrings lose their markup."""
    for action in parser._actions:
        action.help = action.help and _without_markup(action.help)
    return parser.format_help()


def _without_markup(text: str) -> str:
    return re.sub(r"``|:math:|`", "", text)


def _belongs(topic: str) -> Callable[[str], bool]:
    """Whether an option belongs to a topic."""
    if topic in _GROUPS:
        return lambda option: option.startswith(f"--{topic}.")
    apart = tuple(f"--{group}" for group in _GROUPS)
    return lambda option: (
        option == "--observers" or ("." in option and not option.startswith(apart))
    )


def _brief(parser: argparse.ArgumentParser, command: str) -> Iterator[str]:
    """A line for each option that people use, and what it does in one sentence."""
    yield f"usage: qgnn {command} [-c CONFIG ...] [--OPTION VALUE ...]"
    for title, options in (_USED if command == "fit" else _USED_OF_TRAINED).items():
        known = [one for one in options if one in parser._option_string_actions]
        if known:
            yield f"\n{title}:"
        for option in known:
            action = parser._option_string_actions[option]
            yield f"  {_option(option, action)}"
            yield textwrap.fill(
                _sentence(action), _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
            )
    yield _EPILOG.format(command=command)


def _option(option: str, action: argparse.Action) -> str:
    """Its names, and its choices where they are few."""
    choices = str(action.metavar or "")
    few = choices.startswith("{") and len(choices) <= _LONGEST_CHOICES
    names = [one for one in action.option_strings if one != option and not one.endswith("+")]
    return ", ".join([*names, option]) + (f" {choices}" if few else "")


def _sentence(action: argparse.Action) -> str:
    """What it does, up to the first full stop, and its default."""
    text = re.split(r"\.(?:\s|$)", str(action.help), maxsplit=1)[0]
    text = _without_markup(text)
    has_default = action.default is not None and action.default is not False
    return f"{text} (default: {action.default})" if has_default else text
