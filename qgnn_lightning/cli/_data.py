"""``qgnn data check``: is a graph valid, and what does it look like?"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from jsonargparse import ActionConfigFile, Namespace

from qgnn_lightning.cli._data_options import make_data
from qgnn_lightning.cli._errors import FaultsError, UsageError
from qgnn_lightning.cli._graph_picture import PICTURE_SUFFIXES, draw_graph
from qgnn_lightning.cli._graph_text import describe_graph
from qgnn_lightning.cli._output_files import check_output_file
from qgnn_lightning.cli._parser import CommandParser, with_suggestion
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.cli._refusals import named_in_full
from qgnn_lightning.data import GraphDataModule, GraphFaultsError, graph_statistics


def check_graph(arguments: list[str]) -> None:
    """Check and describe a graph.

    Args:
        arguments: What stands behind ``qgnn data check``.

    Raises:
        UsageError: If the command line is wrong.
        GraphDataError: If the graph is not valid.
        FaultsError: If that is so for several reasons.
    """
    parser = data_parser()
    options = _parse(parser, arguments)
    try:
        with quiet(), named_in_full(options):
            data = make_data(parser, options)
            data.prepare_data()
            graph, split = data.read_to_describe()
    except UsageError as error:
        typed = "--data.root" if options.path is None else "PATH"
        raise UsageError(str(error).replace("--data.root", typed)) from error
    except GraphFaultsError as error:
        raise FaultsError(*map(str, error.faults), _summary(error)) from error
    found = graph_statistics(graph)
    names = graph.names.classes or tuple(map(str, range(len(found.class_sizes))))
    parts = None if split is None else split.class_sizes(graph.y)
    print(describe_graph(found, parts, names))
    if options.plot is not None:
        title = options.data.name or Path(options.data.root or options.data.source).name
        draw_graph(found, names, title, Path(options.plot))
        print(f"\npicture        {options.plot}")


def _summary(error: GraphFaultsError) -> str:
    number = len(error.faults)
    places = f" in {error.num_places:,} places" if error.num_places > number else ""
    return f"{number:,} faults{places}"


def data_parser() -> CommandParser:
    """The options of ``qgnn data check``."""
    parser = CommandParser(
        description="Check a graph and describe it: nodes, edges, components, homophily, classes, "
        "degrees.",
    )
    parser.prog = "qgnn data check"
    parser.add_argument("path", type=str, nargs="?", help="Folder of files, or .npz file.")
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="File with options.")
    parser.add_argument("--plot", type=str, help="Picture to write, .png, .svg or .pdf.")
    parser.add_class_arguments(GraphDataModule, "data")
    return parser


def _parse(parser: CommandParser, arguments: list[str]) -> Namespace:
    try:
        options = parser.parse_args(arguments)
        if options.path is not None:
            source = "npz" if Path(options.path).suffix == ".npz" else "files"
            given = [f"--data.source={source}", f"--data.root={options.path}"]
            options = parser.parse_args([*arguments, *given])
    except UsageError as error:
        raise UsageError(with_suggestion(str(error), parser._option_string_actions)) from error
    if options.plot is not None:
        _check_plot(Path(options.plot))
    return options


def _check_plot(path: Path) -> None:
    if path.suffix not in PICTURE_SUFFIXES:
        raise UsageError(f"--plot must end in {', '.join(PICTURE_SUFFIXES)}, got {path.name!r}")
    check_output_file("--plot", path)
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'qgnn-lightning[viz]'")
