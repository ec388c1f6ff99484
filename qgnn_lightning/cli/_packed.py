"""Packed networks from checkpoints, and what is in either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._report import content_size
from qgnn_lightning.cli._stored_arguments import (
    check_network,
    load_checkpoint,
    model_arguments,
    trained_classes,
)
from qgnn_lightning.cli._terminal import listed
from qgnn_lightning.data import GraphNames
from qgnn_lightning.deploy import (
    Part,
    check_packable,
    describe_network,
    describe_packed,
    freeze,
    load_packed,
    save_packed,
)
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import GraphNetwork
from qgnn_lightning.run import file_size, float32_size, packed_size


def write_packed(checkpoint: Path, output: Path) -> None:
    """Pack a checkpoint into one file.

    Args:
        checkpoint: The checkpoint.
        output: The file.

    Raises:
        UsageError: If it is not a checkpoint of this program, or its network cannot be packed.
    """
    network, names = _stored(checkpoint)
    try:
        check_packable(network)
    except ValueError as error:
        raise UsageError(f"checkpoint {checkpoint}: {error}") from error
    save_packed(freeze(network, names.classes, names.columns), output)
    content = content_size(packed_size(network), float32_size(network))
    print(f"{output}: {output.stat().st_size:,} bytes: {content}")


def print_packed_parts(path: Path) -> None:
    """Print the parts of a packed file.

    Args:
        path: The file.
    """
    network = load_packed(path)
    print(parts_table(_with_header(describe_packed(network), path)))
    if network.class_names is not None:
        print(f"classes: {listed(network.class_names)}")


def print_parts(path: Path) -> None:
    """Print the parts of the network in a checkpoint.

    Args:
        path: The checkpoint.

    Raises:
        UsageError: If it is not a checkpoint of this program.
    """
    network, names = _stored(path)
    print(parts_table(describe_network(network), "float32 bytes"))
    packed = file_size(network, names)
    if packed is not None:
        print(
            "weights in a checkpoint are float32, bits and scale are those of their codes; as a "
            f"packed file (qgnn export): {packed:,} bytes"
        )


def _stored(path: Path) -> tuple[GraphNetwork, GraphNames]:
    """The network in a checkpoint, and what its classes and features are called."""
    checkpoint, name = load_checkpoint(path, "checkpoint"), f"checkpoint {path}"
    network, known = _network_in(checkpoint, name), trained_classes(checkpoint, name)
    return network, GraphNames(classes=known.names, columns=known.columns)


def _with_header(parts: list[Part], path: Path) -> list[Part]:
    """Parts that add up to the size of the file."""
    header = path.stat().st_size - sum(part.num_bytes for part in parts)
    return [*parts, Part("header of the file", None, "", (), header)]


def trained_network(path: Path, option: str = "checkpoint") -> GraphNetwork:
    """The network in a checkpoint, in evaluation mode.

    Args:
        path: The checkpoint.
        option: The option that names it.

    Raises:
        UsageError: If it is not a checkpoint of this program.
    """
    return _network_in(load_checkpoint(path, option), f"{option} {path}")


def _network_in(checkpoint: Mapping[str, Any], name: str) -> GraphNetwork:
    arguments = model_arguments(checkpoint, name)
    if not arguments.get("num_features") or not arguments.get("num_classes"):
        raise UsageError(f"{name} does not say the sizes of its network")
    check_network(arguments, checkpoint["state_dict"], name)
    model = NodeClassifier(**arguments)
    model.load_state_dict(checkpoint["state_dict"])
    return model.network.eval()


def parts_table(parts: list[Part], size: str = "bytes") -> str:
    """Parts as aligned text.

    Args:
        parts: One row each.
        size: Title of the column with their sizes.
    """
    rows = [("part", "bits", "scale", "shape", size)]
    for part in parts:
        shape = " x ".join(map(str, part.shape))
        num_bytes = f"{part.num_bytes:,}" if part.num_bytes else ""
        bits = "" if part.bits is None else str(part.bits)
        rows.append((part.name, bits, part.scale, shape, num_bytes))
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
