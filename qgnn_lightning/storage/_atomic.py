"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = ".unfinished-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends without error.

    The content is on the disk before the name is: after a crash either the old file or the new
    one is there.

    Args:
        path: Where the file will be; its folder must exist.

    Raises:
        OSError: If the folder cannot be written to; it names ``path``.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED, suffix=path.suffix)
        os.close(handle)
        written = Path(name)
        try:
            yield written
            with written.open("rb") as file:
                os.fsync(file.fileno())
            written.chmod(0o666 & ~_umask())
            written.replace(path)
        finally:
            written.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is None or (error.filename and _UNFINISHED not in str(error.filename)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def unfinished_path(path: Path) -> Path:
    """Where a file waits for its name; :func:`remove_unfinished` knows it.

    Args:
        path: Where the file will be.
    """
    return path.with_name(f"{_UNFINISHED}{path.name}")


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed have left unfinished.

    Args:
        folder: A folder that no other process writes to, with all folders in it.
    """
    for path in folder.rglob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
