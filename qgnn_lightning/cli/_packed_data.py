"""A packed network and the data it is asked about: ``--packed FILE`` of several commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import Namespace

from qgnn_lightning.cli._data_options import add_data, load_data
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._packed_options import ConfigOfData, check_model, without_model
from qgnn_lightning.cli._parser import CommandParser, with_suggestion
from qgnn_lightning.data import GraphDataModule, TrainedClasses
from qgnn_lightning.deploy import PackedGNN, load_packed

_CHECKPOINT = "--ckpt_path"


class PackedParser(CommandParser):
    """The options of the data and ``--packed``."""

    def add_packed(self) -> None:
        """Add the options of the data and of the packed network."""
        add_data(self, ConfigOfData)
        self.add_argument("--packed", type=str, required=True, help="Packed network.")

    def read(self, arguments: Sequence[str]) -> tuple[Namespace, dict[str, str]]:
        """Parse.

        Args:
            arguments: What stands behind the command.

        Returns:
            The options, and those of the model that were typed, by name.

        Raises:
            UsageError: If they are wrong, or name a checkpoint too.
        """
        if any(one.partition("=")[0] == _CHECKPOINT for one in arguments):
            raise UsageError(f"--packed and {_CHECKPOINT}: one or the other, not both")
        kept, typed = without_model(arguments)
        try:
            options = self.parse_args(kept)
        except UsageError as error:
            raise UsageError(with_suggestion(str(error), self._option_string_actions)) from error
        return options, typed

    def load(
        self, options: Namespace, typed: dict[str, str], stage: Literal["test", "predict"]
    ) -> tuple[PackedGNN, GraphDataModule]:
        """Load the network and the data, whose names become those of the network.

        Args:
            options: What was parsed.
            typed: Options of the model that were typed.
            stage: What the data are for; ``predict`` needs no labels and no split.

        Raises:
            UsageError: If there is no such file, an option contradicts the network, or it and the
                data do not fit together.
        """
        path = Path(options.packed)
        if path.is_dir():
            raise UsageError(
                f"--packed must be a packed network, {path} is a folder: name one in it"
            )
        if not path.is_file():
            raise UsageError(f"--packed must be a packed network, there is no file {path}")
        network = load_packed(path)
        check_model(typed, network, path)
        names = (network.class_names, network.column_names)
        classes = TrainedClasses(network.num_classes, *names)
        data = load_data(self, options, stage, classes)
        if data.num_features != network.num_features:
            raise UsageError(
                f"the packed network takes {network.num_features} features, {data.title} has "
                f"{data.num_features}: name its data with -c or --data.source"
            )
        return network, data
