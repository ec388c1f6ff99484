"""The directory of a run."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from qgnn_lightning.errors import OptionError
from qgnn_lightning.storage import (
    CONFIG_FILE,
    DIAGNOSTICS_FILE,
    EVALUATION_FILE,
    RESULTS_FILE,
    atomic_path,
    remove_unfinished,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_CHECKPOINTS = "checkpoints"


class RunDirectoryError(RuntimeError):
    """The directory of a run cannot be used."""


class OtherRunError(RunDirectoryError, OptionError):
    """The directory that was named holds another run."""


class UnwritableRunError(RunDirectoryError, OptionError):
    """The directory that was named cannot be written to."""


@dataclass(frozen=True)
class RunDirectory:
    """Where a run keeps its files.

    Args:
        path: The directory.
        new: The folders of it that were made just now, the inner one first.
    """

    path: Path
    new: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / _CHECKPOINTS

    @property
    def best(self) -> Path:
        """Checkpoint of the best validation epoch."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """Checkpoint to continue from."""
        return self.checkpoints / "last.ckpt"

    @property
    def config(self) -> Path:
        """The configuration, which ``-c`` reads."""
        return self.path / CONFIG_FILE

    @property
    def results(self) -> Path:
        """What came out of the run."""
        return self.path / RESULTS_FILE

    @property
    def diagnostics(self) -> Path:
        """What the observers found, a line each."""
        return self.path / DIAGNOSTICS_FILE

    @property
    def evaluation(self) -> Path:
        """The test nodes by class and degree, for reports."""
        return self.path / EVALUATION_FILE

    @property
    def how_to_continue(self) -> str:
        """The options that continue the run as it was started."""
        return f"-c {self.config} --ckpt_path {self.last}"

    @property
    def _what_is_possible(self) -> str:
        """How to go on where another run is to start here, as the end of an error."""
        if self.last.is_file():
            return (
                f": name another directory, or continue that run with {self.how_to_continue}, or "
                "by the same command and --resume auto"
            )
        return (
            ", which ended before its first checkpoint: name another directory, or start that run "
            "again by the same command and --resume auto"
        )

    @classmethod
    def next_version(cls, parent: Path) -> RunDirectory:
        """Make ``version_N`` in a folder, with the next free number.

        Args:
            parent: Folder of the runs of one experiment.

        Raises:
            RunDirectoryError: If it cannot be made or written to.
        """
        made = _missing(parent)
        _make(parent)
        number = max((_version(child) for child in parent.iterdir()), default=-1) + 1
        while True:
            path = parent / f"version_{number}"
            try:
                path.mkdir()
            except FileExistsError:  # another run was faster
                number += 1
            except OSError as error:
                raise _cannot_write(path, error) from error
            else:
                return replace(cls._ready(path), new=(path / _CHECKPOINTS, path, *made))

    @classmethod
    def named(cls, path: Path) -> RunDirectory:
        """Use a directory for a new run.

        Args:
            path: The directory, made where it does not exist.

        Raises:
            OtherRunError: If it holds a run already.
            RunDirectoryError: If it cannot be made or written to.
        """
        if (path / CONFIG_FILE).exists():
            raise OtherRunError(
                f"--run_dir {path} holds a run already{cls(path)._what_is_possible}"
            )
        return cls._ready(path)

    @classmethod
    def started_again(cls, path: Path) -> RunDirectory:
        """Use a directory for a run, even where one was broken off before its first checkpoint.

        Args:
            path: The directory, made where it does not exist.

        Raises:
            RunDirectoryError: If it cannot be made or written to.
        """
        return cls._ready(path)

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> RunDirectory | None:
        """The directory of the run that wrote a checkpoint, where it is still there."""
        run = cls(_from_here(checkpoint.absolute().parent.parent))
        in_run = checkpoint.absolute().parent.name == _CHECKPOINTS and run.config.is_file()
        return run if in_run else None

    @classmethod
    def continued(cls, checkpoint: Path, path: Path | None) -> RunDirectory | None:
        """The directory in which a run is continued.

        Args:
            checkpoint: What the run is continued from.
            path: Another directory than that of the checkpoint.

        Raises:
            RunDirectoryError: If it cannot be written to.
        """
        before = cls.of_checkpoint(checkpoint)
        if path is None or (before and before.path.absolute() == path.absolute()):
            return None if before is None else cls._ready(before.path)
        return cls.named(path)

    def best_before(self, checkpoint: Path) -> Path:
        """Best checkpoint so far of the run that is continued.

        Args:
            checkpoint: What the run is continued from.
        """
        before = RunDirectory.of_checkpoint(checkpoint)
        return self.best if before is None else before.best

    def take_best_along(self, checkpoint: Path) -> None:
        """Copy the best checkpoint so far from the directory of the run that is continued.

        Args:
            checkpoint: What the run is continued from.

        Raises:
            OSError: If it cannot be copied.
        """
        best = self.best_before(checkpoint)
        if _from_here(best) != _from_here(self.best) and best.is_file():
            with atomic_path(self.best) as file:
                shutil.copyfile(best, file)

    @classmethod
    def _ready(cls, path: Path) -> RunDirectory:
        path = _from_here(path)
        run = cls(path)
        new = _missing(run.checkpoints)
        for folder in (run.path, run.checkpoints):
            _make(folder)
            _check_writable(folder)
        return cls(path, new)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other trainings out, where the system can: two would write the same files.

        What one that was killed has left half written is removed.

        Raises:
            OtherRunError: If another one is in the directory.
        """
        if fcntl is None:
            remove_unfinished(self.path)
            yield
            return
        folder = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OtherRunError(
                    f"{self.path} is in use by a training that has not ended: "
                    "name another --run_dir, or wait for it"
                ) from error
            except OSError:  # a file system without locks
                pass
            remove_unfinished(self.path)
            yield
        finally:
            os.close(folder)

    def discard_if_unused(self) -> None:
        """Remove what was made of the directory, where nothing was written to it."""
        for folder in self.new:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _from_here(path: Path) -> Path:
    """The same path, from the current folder where it is below it, otherwise from the root."""
    path, here = path.absolute(), Path.cwd()
    return path.relative_to(here) if here in path.parents else path


def _missing(path: Path) -> tuple[Path, ...]:
    """The folder and those around it that are not there, the innermost first."""
    return tuple(folder for folder in (path, *path.parents) if not folder.is_dir())


def _version(path: Path) -> int:
    number = path.name.removeprefix("version_")
    return int(number) if number != path.name and number.isdecimal() else -1


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _check_writable(path: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> RunDirectoryError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    kind = RunDirectoryError if full else UnwritableRunError
    return kind(
        f"the run directory {path} cannot be written to ({error.strerror}): "
        "name another one with --run_dir"
    )
