"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_UNFINISHED = ".unfinished-"
#: Those of :func:`atomic_path`, which has the middle part from :mod:`tempfile`.
_TEMPORARY = re.compile(rf"{re.escape(_UNFINISHED)}[a-z0-9_]{{8}}(\.[^.]*)?")
#: A file is younger for as long as it may be there, but not locked yet.
_SECONDS_TO_LOCK = 5.0


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends without error.

    The content is on the disk before the name is: after a crash either the old file or the new
    one is there. What processes that were killed have left beside it is removed.

    Args:
        path: Where the file will be; its folder must exist.

    Raises:
        OSError: If the folder cannot be written to; it names ``path``.
    """
    try:
        _remove_abandoned(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED, suffix=path.suffix)
        written = Path(name)
        try:
            with suppress(OSError):  # where the disk knows no locks, nobody removes the file
                _lock(handle)
            yield written
            with written.open("rb") as file:
                os.fsync(file.fileno())
            written.chmod(0o666 & ~_umask())
            written.replace(path)
        finally:
            os.close(handle)
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


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished files whose process is gone: nobody holds their lock any more.

    A file whose process cannot be asked for, on another machine perhaps, is left alone; on Windows
    all of them are.
    """
    if sys.platform == "win32":
        return
    for path in folder.glob(f"{_UNFINISHED}*"):
        if _TEMPORARY.fullmatch(path.name):
            with suppress(OSError):
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    if time.time() - path.stat().st_mtime < _SECONDS_TO_LOCK:
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        _lock(handle)
        path.unlink()
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """Hold a file until it is closed, or the process ends.

    Raises:
        OSError: If another process holds it, or there are no such locks.
    """
    if sys.platform == "win32":
        raise OSError("no locks of this kind")
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
