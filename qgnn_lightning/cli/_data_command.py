"""``qgnn data``: what can be wrong is looked at before torch is imported."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.cli._config_files import check_config_files
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._loading import loading
from qgnn_lightning.cli._option_names import check_option_names


def run_data(arguments: list[str]) -> None:
    """Check and describe a graph, or explain how.

    Args:
        arguments: What stands behind ``qgnn data``.

    Raises:
        UsageError: If the command line is wrong.
        GraphDataError: If the graph is not valid.
    """
    asked = arguments[:1] in (["-h"], ["--help"])
    if not asked:
        _check(arguments)
    with loading(quiet=asked):
        from qgnn_lightning.cli._data import check_graph, data_parser
    if asked:
        data_parser().print_help()
    else:
        check_graph(arguments[1:])


def _check(arguments: list[str]) -> None:
    if arguments[:1] != ["check"]:
        got = repr(arguments[0]) if arguments else "nothing"
        raise UsageError(f"qgnn data is followed by check, got {got} (see qgnn data --help)")
    if len(arguments) == 1:
        raise UsageError("a graph is needed: qgnn data check PATH, or -c CONFIG")
    path = arguments[1]
    if path[:1] != "-" and not Path(path).expanduser().exists():
        raise UsageError(f"PATH must be a folder of files or an .npz file, there is none at {path}")
    check_config_files(arguments)
    check_option_names(arguments)
