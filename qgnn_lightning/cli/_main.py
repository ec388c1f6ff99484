"""The entry point: help, version and errors, without importing torch."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence

from qgnn_lightning import __version__
from qgnn_lightning.cli._choices import check_choices
from qgnn_lightning.cli._config_files import check_config_files
from qgnn_lightning.cli._errors import FAILED, UsageError, complain, exit_code
from qgnn_lightning.cli._loading import loading
from qgnn_lightning.cli._option_names import check_option_names

COMMANDS = {
    "fit": "train a network, test its best epoch, and write results.json",
    "seeds": "train one configuration with several seeds: mean and spread",
    "study": "train each combination of options in a file, and make their table",
    "validate": "measure the accuracy of a checkpoint on the validation nodes",
    "test": "measure the accuracy of a checkpoint or a packed file on the test nodes",
    "predict": "write class and probability of every node into a table",
    "data": "check a graph and describe it: qgnn data check PATH",
    "export": "pack a checkpoint into one small file of real integers",
    "info": "show layers, bits, scales and bytes of a checkpoint or a packed file",
    "report": "write one page of HTML about runs, without network or scripts",
    "list": "show what there is to choose from: configurations, data, models, quantizers",
    "completion": "print the script that completes commands and options in bash or zsh",
    "bench": "measure packed integers against FP32 libraries on this machine",
}
#: Module and function of the commands that Lightning has no part in.
_RUNNERS = {
    "seeds": ("_study", "run_seeds"),
    "study": ("_study", "run_study"),
    "data": ("_data_command", "run_data"),
    "export": ("_packed_commands", "run_export"),
    "info": ("_packed_commands", "run_info"),
    "list": ("_list", "run_list"),
    "report": ("_html_report", "run_report"),
    "bench": ("_bench", "run_bench"),
    "completion": ("_completion", "run_completion"),
    "predict --packed": ("_predict_packed", "run_predict_packed"),
    "test --packed": ("_test_packed", "run_test_packed"),
}
#: The words that may follow a command and belong to its name.
_SUBCOMMANDS = {"data": ("check",), "bench": ("propagate", "model")}
_INTERRUPTED = 130
_TERMINATED = 143

_HELP = f"""\
usage: qgnn COMMAND [options]

Train and run deep graph neural networks with 8, 4 or 2 bits per number.

commands:
{chr(10).join(f"  {name:12} {text}" for name, text in COMMANDS.items())}

options:
  -h, --help  show this help; `qgnn COMMAND --help` explains the options of a command
  --version   show the version
  --debug     show where an error comes from (also QGNN_DEBUG=1)

exit codes:
  0 done, 1 failed, 2 an option or its value is wrong,
  130 stopped by Ctrl-C, 138 by SIGUSR1, 143 by SIGTERM

examples:
  qgnn fit   (handwritten digits at 2 bits, no download)
  qgnn fit -c configs/experiment/cora_int2.yaml --dry_run
  qgnn fit -c configs/data/cora.yaml -c configs/model/int4.yaml --model.num_steps 64
  qgnn seeds -c configs/experiment/cora_int2.yaml --seeds 10
  qgnn test -c RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt
  qgnn report RUN -o report.html
  qgnn export RUN/checkpoints/best.ckpt -o model.safetensors
  qgnn predict -c configs/data/cora.yaml --packed model.safetensors
  qgnn data check my_graph --plot my_graph.png
RUN is the directory that qgnn fit names, such as runs/cora_int2/version_0.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments after the program's name; by default those of the process.

    Returns:
        The exit code: 0, 1 after an error, 2 where an option or its value is wrong, 130 after
        Ctrl-C, 143 after SIGTERM.
    """
    started = time.perf_counter()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or os.environ.get("QGNN_DEBUG", "") not in ("", "0")
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = _dispatch(arguments, started)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return _exit_code(stop)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # who read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        complain(_program(arguments), error)
        return exit_code(error)


def _program(arguments: list[str]) -> str:
    """The command as its errors name it, with the word that belongs to it."""
    command = "".join(arguments[:1])
    words = [command] if command in COMMANDS else []
    words += [one for one in arguments[1:2] if one in _SUBCOMMANDS.get(command, ())]
    return " ".join(["qgnn", *words])


def _dispatch(arguments: list[str], started: float) -> int:
    command = arguments[0] if arguments else None
    if command in COMMANDS:
        # Threads that spin while they wait take the processor from each other as soon as another
        # program runs: measured on two cores, ten times the time. To be set before torch is there.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        _run(command, arguments, started)
        return 0
    if command in ("-h", "--help"):
        print(_HELP, end="")
        return 0
    if command == "--version":
        print(f"qgnn-lightning {__version__}")
        return 0
    raise UsageError(_unknown(command))


def _run(command: str, arguments: list[str], started: float) -> None:
    """Run a command; only what it needs is imported."""
    if any(one.partition("=")[0] == "--packed" for one in arguments):
        packed = f"{command} --packed"
        command = packed if packed in _RUNNERS else command
    name, function = _RUNNERS.get(command, ("_application", "run"))
    if command not in _RUNNERS:
        check_config_files(arguments[1:])
        check_option_names(arguments[1:])
        check_choices(arguments[1:])
    with loading("--quiet" in arguments):
        module = importlib.import_module(f"qgnn_lightning.cli.{name}")
    if command == "completion":
        module.run_completion(arguments[1:], list(COMMANDS), _SUBCOMMANDS)
    elif command in _RUNNERS:
        getattr(module, function)(arguments[1:])
    else:
        module.run(arguments, started)


def _unknown(command: str | None) -> str:
    known = ", ".join(COMMANDS)
    if command is None:
        return f"a command is needed: {known} (see qgnn --help)"
    close = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose from {known}"
    kind = "option" if command.startswith("-") else "command"
    return f"unknown {kind} {command!r}: {hint} (see qgnn --help)"


def _exit_code(stop: SystemExit) -> int:
    """The code of an exit; Lightning's own for signals are 0 and 1."""
    if type(stop).__name__ == "SIGTERMException":
        return _TERMINATED
    if isinstance(stop.__context__, KeyboardInterrupt):
        return _INTERRUPTED
    if stop.code is None:
        return 0
    return stop.code if isinstance(stop.code, int) else FAILED
