"""What ``qgnn predict`` writes, of a checkpoint or of a packed network."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser

from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._output_files import check_output_file
from qgnn_lightning.errors import OptionError
from qgnn_lightning.run import prediction_writer


def add_predictions(parser: ArgumentParser, output: str | None, meaning: str) -> None:
    """Add the file of the predictions, and what it holds.

    Args:
        parser: The parser of a command.
        output: The file by default; ``None`` where it depends on the other options.
        meaning: The same in words.
    """
    parser.add_argument(
        "-o",
        "--output",
        type=str | None,
        default=output,
        help=f"File to write, .csv or .parquet; by default {meaning}.",
    )
    parser.add_argument(
        "--every_probability",
        action="store_true",
        help="Write the probability of each class too, a column each.",
    )


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Args:
        path: The file.

    Raises:
        UsageError: If there is no format for its ending, or its folder is not there or cannot be
            written to.
    """
    try:
        prediction_writer(path)
    except OptionError as error:
        raise UsageError(f"-o/--{error}") from error
    check_output_file("-o/--output", path)
