"""``qgnn export`` and ``qgnn info``: packed networks from checkpoints, and what is in either."""

from __future__ import annotations

import argparse
from pathlib import Path

from qgnn_lightning.cli._arguments import ArgumentParser
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._stored_arguments import (
    check_network,
    load_checkpoint,
    model_arguments,
)
from qgnn_lightning.deploy import (
    Part,
    describe_network,
    describe_packed,
    freeze,
    load_packed,
    save_packed,
)
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import GraphNetwork
from qgnn_lightning.run import file_size, float32_size

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
        raise UsageError(f"--output must end in {PACKED_SUFFIX}, got {output.name!r}")
    if not output.parent.is_dir():
        raise UsageError(f"--output: there is no folder {output.parent}")
    network = trained_network(options.checkpoint)
    packed = freeze(network)
    save_packed(packed, output)
    content = sum(part.num_bytes for part in describe_packed(packed))
    print(
        f"{output}: {output.stat().st_size:,} bytes, {content:,} of them codes, scales and biases; "
        f"float32 weights take {float32_size(network):,}"
    )


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
    if path.suffix == PACKED_SUFFIX:
        print(parts_table(_with_header(describe_packed(load_packed(path)), path)))
        return
    network = trained_network(path)
    print(parts_table(describe_network(network)))
    packed = file_size(network)
    if packed is not None:
        print(f"packed file: {packed:,} bytes")


def _with_header(parts: list[Part], path: Path) -> list[Part]:
    """Parts that add up to the size of the file."""
    header = path.stat().st_size - sum(part.num_bytes for part in parts)
    return [*parts, Part("header of the file", None, "", (), header)]


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


def trained_network(path: Path, option: str = "checkpoint") -> GraphNetwork:
    """The network in a checkpoint, in evaluation mode.

    Args:
        path: The checkpoint.
        option: The option that names it.

    Raises:
        UsageError: If it is not a checkpoint of this program.
    """
    checkpoint = load_checkpoint(path, option)
    arguments = model_arguments(checkpoint)
    if not arguments.get("num_features") or not arguments.get("num_classes"):
        raise UsageError(f"{option} {path} does not say the sizes of its network")
    check_network(arguments, checkpoint["state_dict"], f"{option} {path}")
    model = NodeClassifier(**arguments)
    model.load_state_dict(checkpoint["state_dict"])
    return model.network.eval()


def parts_table(parts: list[Part]) -> str:
    """Parts as aligned text.

    Args:
        parts: One row each.
    """
    rows = [("part", "bits", "scale", "shape", "bytes")]
    for part in parts:
        shape = " x ".join(map(str, part.shape))
        size = f"{part.num_bytes:,}" if part.num_bytes else ""
        bits = "" if part.bits is None else str(part.bits)
        rows.append((part.name, bits, part.scale, shape, size))
    total = sum(part.num_bytes for part in parts)
    rows.append(("in all", "", "", "", f"{total:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = (1, 4)
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
