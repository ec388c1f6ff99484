"""Running what is missing of a study."""

from __future__ import annotations

import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from qgnn_lightning.provenance import commit
from qgnn_lightning.storage import atomic_path
from qgnn_lightning.study._options import StudyError, to_yaml
from qgnn_lightning.study._result import TEST, VAL, read_result
from qgnn_lightning.study._result_file import ResultFile
from qgnn_lightning.study._run import Run
from qgnn_lightning.study._workers import Task, WorkerPool

_PREFIX = "qgnn-study-"


class RunsFailedError(RuntimeError):
    """Some runs of a study failed, or none can be made of its data."""


def missing(results: ResultFile) -> list[Run]:
    """The runs that are not finished: first those with the first seed, of all cells."""
    cells = [cell.runs for cell in results.study.cells()]
    by_key = {run.key: run for of_seed in zip(*cells, strict=True) for run in of_seed}
    return [run for key, run in by_key.items() if key not in results.runs]


def plan(results: ResultFile) -> str:
    """How many runs are finished, of each combination of options where there are several."""
    cells = results.study.cells()
    runs = [run for cell in cells for run in cell.runs]
    left = len(missing(results))
    state = f"{_count(len(runs), 'run')}, {len(runs) - left} finished, {left} to do"
    if len(cells) == 1:
        return f"{results.study.name}: {state}"
    lines = [f"{results.study.name}: {len(cells)} combinations of options, {state}"]
    for cell in cells:
        done = sum(results.finished(run) for run in cell.runs)
        lines.append(f"  {done:3} of {len(cell.runs)}  {cell.name}")
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def check_options(results: ResultFile, pool: WorkerPool) -> None:
    """Check the options of every cell that lacks a run, as ``qgnn fit`` would.

    Args:
        results: The results so far.
        pool: Workers that take ``check_options`` tasks.

    Raises:
        StudyError: If an option is unknown or wrong.
    """
    _ask(pool, "check_options", _one_each(missing(results), lambda run: str(run.values)))


def check_data(results: ResultFile, pool: WorkerPool) -> None:
    """Read each graph of what is missing once, and check it, as ``qgnn fit`` would.

    Args:
        results: The results so far.
        pool: Workers that take ``check_data`` tasks.

    Raises:
        StudyError: If what an option names is refused: there is no such file, say.
        RunsFailedError: If a graph is not valid.
    """
    cells = _one_each(missing(results), lambda run: str(run.values))
    _ask(pool, "check_data", _one_each(cells, lambda run: _options_of("data", run)))


def _one_each(runs: Sequence[Run], kind: Callable[[Run], str]) -> list[Run]:
    """The first run of each kind."""
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(kind(run), run)
    return list(first.values())


def _ask(pool: WorkerPool, command: str, runs: Sequence[Run]) -> None:
    """Have the options of runs checked; an error names the cell where there are several."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        tasks = []
        for number, run in enumerate(runs):
            options = _write_options(run, Path(name) / f"{number}.yaml")
            log = Path(name) / f"{number}.txt"
            arguments = ("-c", str(options))
            tasks.append(Task(run.name, command, arguments, log, _options_of("trainer", run)))
        for outcome in pool.run(tasks):
            if outcome.error is not None:
                cell = outcome.task.name.rpartition(" seed ")[0] if len(runs) > 1 else ""
                error = f"{cell}: {outcome.error}" if cell else outcome.error
                raise StudyError(error) if outcome.refused else RunsFailedError(error)


def execute(results: ResultFile, pool: WorkerPool, keep: Path | None = None) -> None:
    """Run what is missing; every finished run is written at once.

    Args:
        results: The results so far.
        pool: Workers that take ``fit`` tasks.
        keep: Folder in which the directories of the runs stay; ``None`` keeps none.

    Raises:
        RunsFailedError: If runs failed; the others were made.
    """
    runs = missing(results)
    results.save()
    if not runs:
        return
    with _folder(keep) as folder:
        progress = _Progress(len(runs))
        tasks = (_fit_task(run, folder) for run in runs)
        by_key = {run.key: run for run in runs}
        state = commit()
        try:
            for outcome in pool.run(tasks):
                run = by_key[outcome.task.name]
                error = outcome.error or _collect(results, run, folder, state)
                if error is not None:
                    results.fail(run, error)
                progress.show(run, results, error)
                if keep is None:
                    shutil.rmtree(_run_folder(folder, run), ignore_errors=True)
        except (KeyboardInterrupt, SystemExit):
            text = f"stopped after {progress.done} of {len(runs)} runs; the same command goes on"
            print(text, file=sys.stderr, flush=True)
            raise
    if results.failures:
        name, error = next(iter(results.failures.items()))
        number = f"{len(results.failures)} of {len(runs)} runs failed"
        raise RunsFailedError(f"{number}, the first: {name}: {error}")


def _collect(results: ResultFile, run: Run, folder: Path, state: str | None) -> str | None:
    """Take the results of a run over, or say what is wrong with them."""
    try:
        kept, environment = read_result(run, _run_folder(folder, run))
    except ValueError as error:
        return str(error)
    results.add(run, kept, {"commit": state, **environment})
    return None


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _run_folder(folder: Path, run: Run) -> Path:
    return folder / f"seed_{run.seed}-{run.key}"


def _fit_task(run: Run, folder: Path) -> Task:
    """Prepare the folder of a run; what a run that was stopped has left there is removed."""
    path = _run_folder(folder, run)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    options = _write_options(run, path / "options.yaml")
    arguments = ("-c", str(options), "--seed_everything", str(run.seed), "--run_dir", str(path))
    return Task(run.key, "fit", arguments, path / "log.txt", _options_of("trainer", run))


def _options_of(section: str, run: Run) -> str:
    """A section as text: the trainer's sets switches of the process, the data's names a graph."""
    found = {name: one for name, one in run.options.items() if name.startswith(f"{section}.")}
    return json.dumps(found, sort_keys=True, default=str)


def _write_options(run: Run, path: Path) -> Path:
    with atomic_path(path) as file:
        file.write_text(to_yaml(run.options), encoding="utf-8")
    return path


class _Progress:
    """A line per run that has ended."""

    def __init__(self, total: int) -> None:
        self.done = 0
        self._total = total
        self._started = time.monotonic()

    def show(self, run: Run, results: ResultFile, error: str | None) -> None:
        self.done += 1
        if error is None:
            found = results.runs[run.key]["measures"]
            text = f"test {100 * found[TEST]:.1f} %, validation {100 * found[VAL]:.1f} %"
        else:
            text = f"failed: {error}"
        spent = time.monotonic() - self._started
        left = spent / self.done * (self._total - self.done)
        still = f" ({_duration(left)} left)" if self.done < self._total else ""
        number = f"[{self.done:{len(str(self._total))}}/{self._total}]"
        print(f"{number} {run.name}: {text}{still}", flush=True)


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 100 else f"{seconds / 60:.0f} min"
