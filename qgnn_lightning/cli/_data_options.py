"""The options of the data, in commands that are not Lightning's."""

from __future__ import annotations

from typing import Literal

from jsonargparse import ActionConfigFile, Namespace

from qgnn_lightning.cli._parser import CommandParser
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.cli._refusals import made_of_options, named_in_full
from qgnn_lightning.data import GraphDataModule, TrainedClasses


def add_data(parser: CommandParser, config: type[ActionConfigFile] = ActionConfigFile) -> None:
    """Add the options of the data, and files that hold them.

    Args:
        parser: The parser of a command.
        config: How a file is read.
    """
    parser.add_argument("-c", "--config", action=config, help="File with options.")
    parser.add_class_arguments(GraphDataModule, "data")


def make_data(parser: CommandParser, options: Namespace) -> GraphDataModule:
    """The data module that the options name; nothing is read.

    Args:
        parser: A parser with the options of the data.
        options: What it has read.

    Raises:
        UsageError: If a value is out of its range.
    """
    with made_of_options(options):
        data: GraphDataModule = parser.instantiate_classes(options).data
    return data


def load_data(
    parser: CommandParser,
    options: Namespace,
    stage: Literal["test", "predict"] = "predict",
    classes: TrainedClasses | None = None,
) -> GraphDataModule:
    """The data that the options name, ready for use, but not cut into parts.

    Args:
        parser: A parser with the options of the data.
        options: What it has read.
        stage: What they are for; ``predict`` needs no labels and no split.
        classes: The classes of the network that they are for.
    """
    with quiet(), named_in_full(options):
        data = make_data(parser, options)
        if classes is not None:
            data.take_classes(classes)
        data.prepare_data()
        data.setup(stage)
    return data
