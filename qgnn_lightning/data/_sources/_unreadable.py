"""What is said of a file that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from qgnn_lightning.data._validation import GraphDataError


def unreadable(path: Path, kind: str, error: Exception) -> GraphDataError:
    """The error for a file: what the system says of it, or what its content must be.

    Args:
        path: The file.
        kind: What it must be.
        error: What reading it has raised.
    """
    if isinstance(error, OSError) and error.errno:
        return GraphDataError(f"{path} cannot be read: {os.strerror(error.errno)}")
    return GraphDataError(f"{path} must be {kind}: {error}")
