"""Checkpoints on the disk: written as a whole or not at all, and read without trust.

Lightning writes to the system's temporary folder and moves the file, which on another disk is a
copy that can break off; and torch does not notice a flipped bit.
"""

from __future__ import annotations

import io
import pickletools
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from qgnn_lightning.storage import atomic_path

#: What an archive, and so every checkpoint, begins with.
_ARCHIVE = b"PK\x03\x04"
#: What a network is evaluated with; the rest says how its training goes on.
_OF_EVALUATION = frozenset(
    {
        "epoch",
        "global_step",
        "pytorch-lightning_version",
        "state_dict",
        "hyper_parameters",
        "GraphDataModule",
    }
)
#: What the pickle in our checkpoints names, besides torch's types of storage.
_NAMES = frozenset({"collections OrderedDict", "torch._utils _rebuild_tensor_v2"})


class CheckpointError(RuntimeError):
    """A checkpoint was not written, or cannot be read."""


class CheckpointFiles(CheckpointIO):
    """How the trainer writes and reads checkpoints."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: Plain values and tensors.
            path: The file; its folder must exist.
            storage_options: Not used.

        Raises:
            CheckpointError: If the file cannot be written.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            with atomic_path(Path(path)) as file:
                file.write_bytes(content.getbuffer())
        except OSError as error:
            raise CheckpointError(
                f"checkpoint {path} cannot be written: {error.strerror}"
            ) from error

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; see :func:`read_checkpoint`."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


class TrainedNetworks(CheckpointFiles):
    """How a trainer that only evaluates reads checkpoints: without the state of the training."""

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read what a checkpoint says of its network; see :func:`read_checkpoint`."""
        checkpoint = read_checkpoint(Path(path))
        return {name: part for name, part in checkpoint.items() if name in _OF_EVALUATION}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; nothing in it is imported or run.

    It takes no more memory than the file is long, and every bit of it is checked.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or not a checkpoint of this program.
    """
    try:
        _check_archive(path)
        with warnings.catch_warnings():  # of torch, about what only a foreign pickle holds
            warnings.simplefilter("ignore")
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        _check_values(checkpoint, path.stat().st_size)
        if not isinstance(checkpoint, dict):
            raise TypeError("no table")
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is cut off or damaged") from error
    except Exception as error:  # torch and zipfile let any error through
        raise CheckpointError(f"{path} is not a checkpoint of this program") from error
    return checkpoint


def _check_archive(path: Path) -> None:
    with path.open("rb") as file:
        if not _ARCHIVE.startswith(file.read(len(_ARCHIVE))):
            raise ValueError("no archive, nor the beginning of one")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
            raise ValueError("compressed")
        if sum(one.file_size for one in entries) > path.stat().st_size:
            raise ValueError("entries overlap")
        if archive.testzip() is not None:
            raise zipfile.BadZipFile("a check sum is wrong")
        (pickled,) = (one for one in entries if one.filename.endswith("/data.pkl"))
        for opcode, argument, _ in pickletools.genops(archive.read(pickled)):
            if "GLOBAL" in opcode.name or opcode.name == "INST":
                _check_name(str(argument))


def _check_name(name: str) -> None:
    is_storage = name.startswith("torch ") and name.endswith("Storage")
    if not is_storage and name not in _NAMES:
        raise ValueError(f"names {name}")


def _check_values(value: Any, most: int) -> None:
    """Refuse what would grow where it is copied or printed.

    That is a tensor larger than what is stored of it, or lists that hold one another so that
    there are more values to visit than bytes in the file.
    """
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, torch.Tensor):
            if one.numel() * one.element_size() > one.untyped_storage().nbytes():
                raise ValueError("a tensor is larger than its content")
        elif isinstance(one, dict | list | tuple):
            inner = [*one.keys(), *one.values()] if isinstance(one, dict) else one
            most -= len(inner)
            if most < 0:
                raise ValueError("values hold one another")
            left += inner
