"""What ``qgnn predict`` writes, of a checkpoint or of a packed network."""

from __future__ import annotations

from jsonargparse import ArgumentParser


def add_predictions(parser: ArgumentParser, output: str | None, meaning: str) -> None:
    """Add the file of the predictions, and what it holds.

    Args:
        parser: The parser of a command.
        output: The file by default; ``None`` where it depends on the other options.
        meaning: The same in words.
    """
    parser.add_argument(
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
