"""Packed networks as one file: safetensors, with everything else in its header."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.deploy._field_reader import FieldReader, require
from qgnn_lightning.deploy._packed_network import (
    PackedGNN,
    PackedLinear,
    PackedPropagation,
)
from qgnn_lightning.errors import OptionError
from qgnn_lightning.quantization import Grid
from qgnn_lightning.storage import atomic_path

FORMAT = "qgnn-packed"
FORMAT_VERSION = 1
#: More than any network of ours needs; a larger file is not read into memory.
MAX_FILE_BYTES = 2**30
_ZIP = b"PK\x03\x04"  # what checkpoints begin with

#: The fields that hold names; each may be left out.
_NAMES = ("class_names", "column_names")

#: What is said of a file besides its version; in the same words as of a checkpoint.
_FOREIGN, _DAMAGED = "is not a packed network", "is cut off or damaged"


class PackedFileError(OptionError):
    """A packed file that is damaged, hostile or of another version."""


def save_packed(network: PackedGNN, path: str | os.PathLike[str]) -> None:
    """Write a packed network to one file, as a whole or not at all.

    Args:
        network: The network.
        path: The file; its folder must exist.

    Raises:
        OSError: If the file cannot be written.
    """
    content = _content(network)
    with atomic_path(Path(path)) as file:
        file.write_bytes(content)


def packed_file_size(network: PackedGNN) -> int:
    """Bytes of the file that :func:`save_packed` writes.

    Args:
        network: The network.
    """
    return len(_content(network))


def _content(network: PackedGNN) -> bytes:
    tensors: dict[str, Tensor] = {}
    fields: dict[str, Any] = {
        "order": network.order,
        "encoder": _linear_fields("encoder", network.encoder, tensors),
        "classifier": _linear_fields("classifier", network.classifier, tensors),
        "propagation": _propagation_fields(network.propagation, tensors),
    }
    names = {field: getattr(network, field) for field in _NAMES}
    fields |= {field: list(texts) for field, texts in names.items() if texts is not None}
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "layout_version": str(kernels.FORMAT_VERSION),
        "network": json.dumps(fields, sort_keys=True),
    }
    metadata["checksum"] = _checksum(tensors, metadata)
    return _in_order(save(tensors, metadata))


def _in_order(content: bytes) -> bytes:
    """The same file with its header sorted, so that the same network gives the same bytes."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[end:]


def load_packed(path: str | os.PathLike[str]) -> PackedGNN:
    """Read a packed network; nothing in the file is run, every field is checked.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        PackedFileError: If it is not a packed network of a version we know, or is damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise PackedFileError(f"{path} is a folder, not a packed network: name a file in it")
    if not path.exists():
        raise FileNotFoundError(f"there is no packed network at {path}")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise PackedFileError(
            f"{path} is not a packed network: {size:,} bytes are more than {MAX_FILE_BYTES:,}"
        )
    try:
        return _network(path.read_bytes())
    except PackedFileError as error:
        raise PackedFileError(f"{path} {error}") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise PackedFileError(f"{path} {_FOREIGN}: {error}") from error


def _network(content: bytes) -> PackedGNN:
    metadata = _metadata(content)
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise PackedFileError(_DAMAGED) from error
    if metadata.get("checksum") != _checksum(tensors, metadata):
        raise PackedFileError(_DAMAGED)
    fields = json.loads(metadata["network"])
    names = {field: fields[field] for field in _NAMES if fields.get(field) is not None}
    for field, texts in names.items():
        require(_are_texts(texts), field, texts)
    require(fields.get("order") in ("encode", "embed"), "order", fields.get("order"))
    reader = FieldReader(tensors)
    network = PackedGNN(
        order=fields["order"],
        encoder=reader.linear("encoder", fields["encoder"]),
        classifier=reader.linear("classifier", fields["classifier"]),
        propagation=reader.propagation(fields["propagation"]),
        **{field: tuple(texts) for field, texts in names.items()},
    )
    widths = (network.encoder.out_features, network.classifier.in_features)
    require(widths[0] == widths[1], "classifier.in_features", widths[1])
    reader.require_all_used()
    return network


def _are_texts(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _metadata(content: bytes) -> dict[str, str]:
    """The string fields of the header, read without touching the tensors."""
    if content[:4] == _ZIP:
        raise PackedFileError(f"{_FOREIGN}; qgnn export makes one of a checkpoint")
    if len(content) > 8 and content[8:9] != b"{":
        raise PackedFileError(_FOREIGN)
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise PackedFileError(_DAMAGED)
    try:
        header = json.loads(content[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PackedFileError(_DAMAGED) from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise PackedFileError(_FOREIGN)
    versions = (metadata.get("format_version"), metadata.get("layout_version"))
    if versions != (str(FORMAT_VERSION), str(kernels.FORMAT_VERSION)):
        raise PackedFileError(
            f"is of format version {versions[0]} with layout version {versions[1]}, this release "
            f"reads {FORMAT_VERSION} with {kernels.FORMAT_VERSION}"
        )
    return metadata


def _linear_fields(name: str, layer: PackedLinear, tensors: dict[str, Tensor]) -> dict[str, Any]:
    tensors[f"{name}.weight"] = layer.weight.contiguous()
    tensors[f"{name}.bias"] = layer.bias.contiguous()
    return {
        "in_features": layer.in_features,
        "input_grid": _grid_fields(f"{name}.input", layer.input_grid, tensors),
        "weight_grid": _grid_fields(f"{name}.weight", layer.weight_grid, tensors),
    }


def _grid_fields(name: str, grid: Grid, tensors: dict[str, Tensor]) -> dict[str, Any]:
    tensors[f"{name}_scale"] = grid.scale.reshape(-1).contiguous()
    tensors[f"{name}_zero_point"] = grid.zero_point.reshape(-1).to(torch.int16)
    return {"num_bits": grid.num_bits, "stride": grid.stride, "shift": grid.shift}


def _propagation_fields(
    propagation: PackedPropagation, tensors: dict[str, Tensor]
) -> dict[str, Any]:
    changes = enumerate(propagation.change_grids)
    return {
        "form": propagation.form,
        "residual_bits": propagation.residual_bits,
        "keep": propagation.recurrence.keep,
        "neighbours": propagation.recurrence.neighbours,
        "restart": propagation.recurrence.restart,
        "strengths": list(propagation.strengths),
        "grids": [
            _grid_fields(f"message.{index}", grid, tensors)
            for index, grid in enumerate(propagation.grids)
        ],
        "change_grids": [
            None if grid is None else _grid_fields(f"change.{index}", grid, tensors)
            for index, grid in changes
        ],
    }


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 over all tensors and all other fields."""
    digest = hashlib.sha256()
    for name in sorted(key for key in metadata if key != "checksum"):
        digest.update(f"{name}={metadata[name]}\n".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
