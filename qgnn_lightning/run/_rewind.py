"""The logs of a run as they were at a checkpoint, so that a continued run repeats no step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from qgnn_lightning.run._directory import RunDirectory
from qgnn_lightning.storage import atomic_path

_EVENTS = "events.out.tfevents.*"


def rewind(run: RunDirectory, step: int) -> None:
    """Take back what was logged in an optimizer step and after it.

    TensorBoard's files become one. A record that a dying process left half written is dropped.

    Args:
        run: The directory of the run.
        step: First optimizer step, from 0, that will be done again; 0 starts anew.
    """
    files = sorted(run.path.glob(_EVENTS))
    if step == 0:
        for file in (*files, run.diagnostics):
            file.unlink(missing_ok=True)
        return
    if files:
        kept = dict.fromkeys(_before(files, step))  # an interrupted rewind leaves copies
        with atomic_path(files[0]) as path, path.open("wb") as stream:
            writer = RecordWriter(stream)
            for record in kept:
                writer.write(record)
        for file in files[1:]:
            file.unlink()
    if run.diagnostics.is_file():
        lines = _whole_lines(run.diagnostics)
        with atomic_path(run.diagnostics) as path:
            path.write_text("".join(line for line in lines if json.loads(line)["step"] < step))


def _before(files: list[Path], step: int) -> Iterator[bytes]:
    has_version = False
    for file in files:
        for record in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(record)
            if event.HasField("file_version"):
                if has_version:
                    continue
                has_version = True
            if event.step < step:
                yield record


def _whole_lines(path: Path) -> list[str]:
    return [
        line for line in path.read_text(encoding="utf-8").splitlines(True) if line.endswith("\n")
    ]
