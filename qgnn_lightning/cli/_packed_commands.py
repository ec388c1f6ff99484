"""``qgnn export`` and ``qgnn info``: what can be wrong is looked at before torch is imported."""

from __future__ import annotations

import argparse
from pathlib import Path

from qgnn_lightning.cli._arguments import ArgumentParser
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._loading import loading
from qgnn_lightning.cli._output_files import check_output_file

PACKED_SUFFIX = ".safetensors"


def run_export(arguments: list[str]) -> None:
    """Pack a checkpoint into one file.

    Args:
        arguments: What stands behind ``qgnn export``.

    Raises:
        UsageError: If the checkpoint or the output cannot be used.
    """
    options = export_parser().parse_args(arguments)
    output: Path = options.output
    if output.suffix != PACKED_SUFFIX:
        raise UsageError(f"-o/--output must end in {PACKED_SUFFIX}, got {output.name!r}")
    check_output_file("-o/--output", output)
    with loading(quiet=False):
        from qgnn_lightning.cli._packed import write_packed
    write_packed(options.checkpoint, output)


def run_info(arguments: list[str]) -> None:
    """Print the parts of a checkpoint or of a packed file.

    Args:
        arguments: What stands behind ``qgnn info``.

    Raises:
        UsageError: If there is no such file.
    """
    path: Path = info_parser().parse_args(arguments).file
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a checkpoint or a packed file in it")
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    with loading(quiet=False):
        from qgnn_lightning.cli._packed import print_packed_parts, print_parts
    if path.suffix == PACKED_SUFFIX:
        print_packed_parts(path)
    else:
        print_parts(path)


def export_parser() -> argparse.ArgumentParser:
    """The options of ``qgnn export``."""
    parser = ArgumentParser(
        "qgnn export",
        description="Pack a trained checkpoint into one small file of real integers.",
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint of a trained network")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help=f"file to write, ends in {PACKED_SUFFIX}"
    )
    return parser


def info_parser() -> argparse.ArgumentParser:
    """The options of ``qgnn info``."""
    parser = ArgumentParser(
        "qgnn info",
        description="Layers, bits, scales and bytes of a checkpoint or a packed network.",
    )
    parser.add_argument("file", type=Path, help="checkpoint or packed network")
    return parser
