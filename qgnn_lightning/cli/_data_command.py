"""``qgnn data``: what can be wrong is looked at before torch is imported."""

from __future__ import annotations

import difflib
from pathlib import Path

from qgnn_lightning.cli._choices import check_choices
from qgnn_lightning.cli._config_files import check_config_files
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._help import format_all, help_topic
from qgnn_lightning.cli._loading import loading
from qgnn_lightning.cli._option_names import check_option_names

_HELP = """\
usage: qgnn data check PATH [--plot FILE] [--OPTION VALUE ...]
       qgnn data check -c CONFIG [--OPTION VALUE ...]

Checks a graph before anything is trained on it. Faults are told all at once, each with its file,
line and node: names of nodes that no file lists, cells that are no numbers, nodes without
features, labels that cannot be classes, splits that overlap or are empty. A graph without faults
is described: nodes, edges, components, homophily, classes, degrees, split.

  PATH  folder with edges, features, labels and, if there is one, split (.csv, .parquet or .npy;
        docs/data-format.md describes them), or an .npz file

options:
  -c, --config CONFIG  a graph as a training names it, such as configs/data/cora.yaml
  --plot FILE          picture of degrees and classes: .png, .svg or .pdf
  --data.source NAME   another source than PATH: `qgnn list` has them all
  --data.name NAME     name of the graph, where the source has several
  --data.split random  draw the split instead of reading it: --data.num_train_per_class N of
                       each class, then --data.num_val N and --data.num_test N nodes
  --help all           every option

example:
  qgnn data check my_graph --plot my_graph.png
"""


def run_data(arguments: list[str]) -> None:
    """Check and describe a graph, or explain how.

    Args:
        arguments: What stands behind ``qgnn data``.

    Raises:
        UsageError: If the command line is wrong.
        GraphDataError: If the graph is not valid.
    """
    topic = help_topic(arguments, ("all",))
    if topic is None:
        _check(arguments)
        with loading(quiet=False):
            from qgnn_lightning.cli._data import check_graph
        check_graph(arguments[1:])
    elif topic:
        from qgnn_lightning.cli._data import data_parser

        print(format_all(data_parser()), end="")
    else:
        print(_HELP, end="")


def _check(arguments: list[str]) -> None:
    if arguments[:1] != ["check"]:
        raise UsageError(_unknown(arguments))
    if len(arguments) == 1:
        raise UsageError("a graph is needed: qgnn data check PATH, or -c CONFIG")
    path = arguments[1]
    if path[:1] != "-" and not Path(path).expanduser().exists():
        raise UsageError(f"PATH must be a folder of files or an .npz file, there is none at {path}")
    check_config_files(arguments)
    check_option_names(arguments)
    check_choices(arguments)


def _unknown(arguments: list[str]) -> str:
    if not arguments:
        return "qgnn data is followed by check, got nothing (see qgnn data --help)"
    word = arguments[0]
    if difflib.get_close_matches(word, ["check"]):
        hint = "did you mean check?"
    elif Path(word).expanduser().exists():
        hint = f"did you mean qgnn data check {word}?"
    else:
        hint = "see qgnn data --help"
    return f"qgnn data is followed by check, got {word!r}: {hint}"
