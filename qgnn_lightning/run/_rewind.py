"""The logs of a run as they were at a checkpoint, so that a continued run repeats no step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from qgnn_lightning.run._directory import RunDirectory, RunDirectoryError
from qgnn_lightning.storage import atomic_path

#: Bytes of a record in TensorBoard's files besides its content: its length, and two check sums.
_FRAME = 16
_LONGEST = 2**31
_EVENTS = "events.out.tfevents.*"


def rewind(run: RunDirectory, step: int) -> None:
    """Take back what was logged in an optimizer step and after it.

    TensorBoard's files become one. A record that a dying process left half written is dropped.
    All logs are read before one is written.

    Args:
        run: The directory of the run.
        step: First optimizer step, from 0, that will be done again; 0 starts anew.

    Raises:
        RunDirectoryError: If a log is damaged, other than by a process that was killed.
    """
    files = sorted(run.path.glob(_EVENTS))
    if step == 0:
        for file in (*files, run.diagnostics):
            file.unlink(missing_ok=True)
        return
    events = dict.fromkeys(_before(files, step))  # an interrupted rewind leaves copies
    lines = _lines_before(run.diagnostics, step)
    if files:
        with atomic_path(files[0]) as path, path.open("wb") as stream:
            writer = RecordWriter(stream)
            for record in events:
                writer.write(record)
        for file in files[1:]:
            file.unlink()
    if run.diagnostics.is_file():
        with atomic_path(run.diagnostics) as path:
            path.write_text(lines)


def _before(files: list[Path], step: int) -> Iterator[bytes]:
    has_version = False
    for file in files:
        size = 0
        for record in RawEventFileLoader(str(file)).Load():
            size += len(record) + _FRAME
            event = Event.FromString(record)
            if event.HasField("file_version"):
                if has_version:
                    continue
                has_version = True
            if event.step < step:
                yield record
        _check_rest(file, size)


def _check_rest(file: Path, size: int) -> None:
    """What follows the last record that can be read must be one that is not whole."""
    with file.open("rb") as stream:
        stream.seek(size)
        rest = stream.read()
    length = int.from_bytes(rest[:8], "little")
    if len(rest) >= 8 and (length > _LONGEST or length + _FRAME <= len(rest)):
        raise RunDirectoryError(f"{file} is damaged: remove it to go on")


def _lines_before(path: Path, step: int) -> str:
    """The whole lines of the steps before one."""
    if not path.is_file():
        return ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(True)
        whole = (line for line in lines if line.endswith("\n"))
        return "".join(line for line in whole if json.loads(line)["step"] < step)
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{path} is damaged: remove it to go on") from error
