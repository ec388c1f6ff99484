"""A command that dies, as by kill -9, before a named change of a file; see ``kill_at.c``."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qgnn_lightning.cli import main as qgnn

#: Of names that differ from run to run, what is the same.
_PATTERNS = (
    (re.compile(r"\.(unfinished|check)-[a-z0-9_]{8}(?=[./]|$)"), r".\1-????????"),
    (re.compile(r"events\.out\.tfevents\..*"), "events.out.tfevents.*"),
)


@dataclass(frozen=True)
class Change:
    """A change of a file, as a process has made it.

    Args:
        operation: What was done.
        name: The path below the folder.
        source: Of a rename, the path before.
    """

    operation: str
    name: str
    source: str

    @property
    def pattern(self) -> str:
        """The name, with wildcards where it is another one in every run."""
        pattern = self.name
        for found, replacement in _PATTERNS:
            pattern = found.sub(replacement, pattern)
        return pattern


@dataclass(frozen=True)
class Place:
    """Where a process dies.

    Args:
        operation: The operation that it dies before.
        file: What the file is; of one without its final name, what it becomes.
        which: The first, middle or last change of this kind.
        of: How many changes of this kind there are.
        pattern: The name of the file.
        number: How many operations on files of this pattern come before.
    """

    operation: str
    file: str
    which: str
    of: int
    pattern: str
    number: int

    @property
    def name(self) -> str:
        """Tells places apart, also when a run makes a few changes more or less."""
        return f"{self.which} {self.operation} of {self.file}"


def places(changes: Sequence[Change]) -> Iterator[Place]:
    """The first, a middle and the last change of each kind: operation and role of the file.

    Args:
        changes: The changes that a process makes that is not killed.
    """
    becomes = {one.source: one.pattern for one in changes if one.source}
    kinds: dict[tuple[str, str, str], list[int]] = {}
    seen: dict[tuple[str, str], int] = {}
    for one in changes:
        number = seen.get((one.operation, one.pattern), 0)
        seen[one.operation, one.pattern] = number + 1
        role = _role(one, becomes)
        kinds.setdefault((one.operation, one.pattern, role), []).append(number)
    for (operation, pattern, file), numbers in kinds.items():
        chosen = {"first": 0, "last": len(numbers) - 1, "middle": len(numbers) // 2}
        taken: set[int] = set()
        for which, index in chosen.items():
            if index not in taken:
                taken.add(index)
                yield Place(operation, file, which, len(numbers), pattern, numbers[index])


def _role(change: Change, becomes: dict[str, str]) -> str:
    """What a file is, or what it becomes after one or two renames."""
    target = becomes.get(change.name)
    return change.pattern if target is None else f"{target}, unfinished"


def preload() -> None:
    """Start this program anew with ``kill_at.c`` before libc, unless it is there."""
    if hasattr(ctypes.CDLL(None), "kill_at_arm"):
        return
    folder = Path(tempfile.mkdtemp())
    library = folder / "kill_at.so"
    compiler = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library)]
    subprocess.run([*compiler, str(Path(__file__).parent / "kill_at.c"), "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    code = subprocess.run([sys.executable, *sys.argv], env=environment).returncode
    shutil.rmtree(folder)
    sys.exit(code)


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Args:
        code: The exit code, negative for a signal.
        error: What it wrote to the standard error.
        changes: The changes of files that it made, or died before.
    """

    code: int
    error: str
    changes: tuple[Change, ...]


def forked(command: Sequence[str], folder: Path, place: Place | None = None) -> Ending:
    """Run a command in a copy of this process.

    Args:
        command: What stands behind ``qgnn``.
        folder: Changes below it are seen.
        place: Where it dies.
    """
    errors, journal = (folder.parent / name for name in ("errors.txt", "journal.txt"))
    operation, pattern, number = (
        ("", "", -1) if place is None else (place.operation, place.pattern, place.number)
    )
    process = os.fork()
    if process == 0:
        code = 1
        try:
            with (
                errors.open("w") as file,
                contextlib.redirect_stderr(file),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                texts = (f"{folder}", f"{journal}", operation, pattern)
                ctypes.CDLL(None).kill_at_arm(
                    *(text.encode() for text in texts), ctypes.c_long(number)
                )
                code = qgnn(list(command))
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    lines = (line.split("\t") for line in journal.read_text().splitlines())
    changes = tuple(Change(*line) for line in lines)
    return Ending(os.waitstatus_to_exitcode(status), errors.read_text(), changes)
