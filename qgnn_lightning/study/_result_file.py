"""The file of a study's results: one JSON file, and its table beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qgnn_lightning.storage import atomic_path
from qgnn_lightning.study._options import StudyError
from qgnn_lightning.study._run import Run
from qgnn_lightning.study._study import Study
from qgnn_lightning.study._summary import summarize
from qgnn_lightning.study._table import Row, explanation, table

SCHEMA_VERSION = 1
#: Depth down to which every entry has a line of its own; a run is one line.
_OPEN_LEVELS = 4


@dataclass
class ResultFile:
    """The finished runs of a study, kept in a file that is whole at any time.

    Args:
        path: The JSON file; the table is beside it, as ``.md``.
        study: The study.
        command: What was typed.
        runs: What is kept of each finished run, by its key.
        environments: Commits, versions and hardware that runs were made with.
        failures: Error line of each failed run, by the name of the run.
    """

    path: Path
    study: Study
    command: str
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    environments: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, study: Study, command: str) -> ResultFile:
        """Take up what a file holds already.

        Raises:
            StudyError: If the file is not one of a study, or there is no folder for it.
        """
        file = cls(path, study, command)
        if not path.parent.is_dir() or path.is_dir():
            raise StudyError(f"-o must be a file in a folder that exists, got {path}")
        if path.exists():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                kept = [run for cell in content["cells"] for run in cell["runs"]]
                file.runs = {run["key"]: run for run in [*kept, *content["other_runs"]]}
                file.environments = content["environments"]
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StudyError(f"{path} is not a result file of a study") from error
        return file

    @property
    def table_path(self) -> Path:
        """The Markdown file."""
        return self.path.with_suffix(".md")

    def finished(self, run: Run) -> bool:
        """Whether the result of a run is there."""
        return run.key in self.runs

    def add(self, run: Run, kept: dict[str, Any], environment: dict[str, Any]) -> None:
        """Keep the result of a run.

        Args:
            run: The run.
            kept: What is kept of it.
            environment: Commit, versions and hardware.
        """
        if environment not in self.environments:
            self.environments.append(environment)
        self.runs[run.key] = {**kept, "environment": self.environments.index(environment)}
        self.save()

    def fail(self, run: Run, error: str) -> None:
        """Note that a run has failed.

        Args:
            run: The run.
            error: What went wrong, in one line.
        """
        self.failures[run.name] = error
        self.save()

    def rows(self) -> list[Row]:
        """The rows of the table."""
        return [(cell.values, summarize(self._of_cell(cell.runs))) for cell in self.study.cells()]

    def save(self) -> None:
        """Write both files."""
        with atomic_path(self.path) as path:
            path.write_text(_json(self._content()) + "\n", encoding="utf-8")
        with atomic_path(self.table_path) as path:
            path.write_text(self._markdown(), encoding="utf-8")

    def _of_cell(self, runs: Sequence[Run]) -> list[dict[str, Any]]:
        return [self.runs[run.key] for run in runs if run.key in self.runs]

    def _content(self) -> dict[str, Any]:
        study, cells, keys = self.study, self.study.cells(), set()
        listed = []
        for cell in cells:
            runs = self._of_cell(cell.runs)
            keys |= {run["key"] for run in runs}
            summary = {name: _entry(asdict(one)) for name, one in summarize(runs).items()}
            listed.append({"values": cell.values, "summary": summary, "runs": runs})
        return {
            "schema_version": SCHEMA_VERSION,
            "study": study.name,
            "command": self.command,
            "base": study.base,
            "axes": study.axes,
            "seeds": list(study.seeds),
            "environments": self.environments,
            "failures": self.failures,
            "cells": listed,
            "other_runs": [run for key, run in self.runs.items() if key not in keys],
        }

    def _markdown(self) -> str:
        parts = [f"# {self.study.name}", table(self.rows()), explanation()]
        parts += [f"Failed: {name}: {error}" for name, error in self.failures.items()]
        parts.append(f"Source: `{self.path.name}`, made by `{self.command}`.")
        return "\n\n".join(parts) + "\n"


def _entry(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: float(f"{one:.6g}") if isinstance(one, float) else one
        for name, one in summary.items()
    }


def _json(value: Any, level: int = 0) -> str:
    """JSON with the outer levels on lines of their own and the inner ones in one line."""
    if level >= _OPEN_LEVELS or not value or not isinstance(value, dict | list):
        return json.dumps(value, default=str)
    space, end = "\n" + " " * (level + 1), "\n" + " " * level
    if isinstance(value, list):
        return f"[{space}{f',{space}'.join(_json(one, level + 1) for one in value)}{end}]"
    entries = (f"{json.dumps(str(name))}: {_json(one, level + 1)}" for name, one in value.items())
    return f"{{{space}{f',{space}'.join(entries)}{end}}}"
