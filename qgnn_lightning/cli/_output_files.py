"""Whether a file can be written where an option names it, before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from qgnn_lightning.cli._errors import UsageError


def check_output_file(option: str, path: Path) -> None:
    """Refuse a file that could not be written in the end.

    Args:
        option: The option that names it, as errors call it.
        path: The file.

    Raises:
        UsageError: If it is a folder, or its own folder is not there or cannot be written to.
    """
    if path.is_dir():
        raise UsageError(f"{option} must be a file, {path} is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"{option}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{option}: the folder {path.parent} cannot be written to")
