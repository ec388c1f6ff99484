"""Running what is missing of a study."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from qgnn_lightning.provenance import commit
from qgnn_lightning.storage import atomic_path
from qgnn_lightning.study._options import StudyError, to_yaml
from qgnn_lightning.study._result import TEST, VAL, read_result
from qgnn_lightning.study._result_file import ResultFile
from qgnn_lightning.study._run import Run
from qgnn_lightning.study._workers import Task, WorkerPool

_CHECK = ".check-"


class RunsFailedError(RuntimeError):
    """Some runs of a study failed."""


@dataclass(frozen=True)
class Execution:
    """How the runs of a study are made.

    Args:
        worker: Command line of a process that takes ``fit`` and ``check`` tasks.
        jobs: Processes at a time, at least 1.
        keep: Folder in which the directories of the runs stay; ``None`` keeps none.
    """

    worker: Sequence[str]
    jobs: int
    keep: Path | None = None


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


def check(results: ResultFile, execution: Execution) -> None:
    """Check the options of what is missing, as :func:`execute` does before it runs anything.

    Args:
        results: The results so far.
        execution: How to run.

    Raises:
        StudyError: If an option of a cell is unknown or wrong.
    """
    runs = missing(results)
    if not runs:
        return
    with (
        _folder(replace(execution, keep=None)) as folder,
        WorkerPool(execution.worker, execution.jobs) as pool,
    ):
        _check_options(runs, pool, folder)


def execute(results: ResultFile, execution: Execution) -> None:
    """Run what is missing; every finished run is written at once.

    Args:
        results: The results so far.
        execution: How to run.

    Raises:
        StudyError: If an option of a cell is unknown or wrong; nothing is run then.
        RunsFailedError: If runs failed; the others were made.
    """
    runs = missing(results)
    results.save()
    if not runs:
        return
    with _folder(execution) as folder, WorkerPool(execution.worker, execution.jobs) as pool:
        _check_options(runs, pool, folder)
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
                if execution.keep is None:
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
def _folder(execution: Execution) -> Iterator[Path]:
    if execution.keep is not None:
        execution.keep.mkdir(parents=True, exist_ok=True)
        for left in execution.keep.glob(f"{_CHECK}*"):  # by a study that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield execution.keep
        return
    with tempfile.TemporaryDirectory(prefix="qgnn-study-", ignore_cleanup_errors=True) as name:
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
    return Task(run.key, "fit", arguments, path / "log.txt", _setting(run))


def _setting(run: Run) -> str:
    """The trainer's options, which set switches of the process: deterministic algorithms, say."""
    trainer = {name: one for name, one in run.options.items() if name.startswith("trainer.")}
    return json.dumps(trainer, sort_keys=True, default=str)


def _write_options(run: Run, path: Path) -> Path:
    with atomic_path(path) as file:
        file.write_text(to_yaml(run.options), encoding="utf-8")
    return path


def _check_options(runs: Sequence[Run], pool: WorkerPool, folder: Path) -> None:
    """Let ``qgnn fit`` read the options of every cell before anything is trained."""
    cells = {tuple(run.values.items()): run for run in reversed(runs)}
    with tempfile.TemporaryDirectory(dir=folder, prefix=_CHECK, ignore_cleanup_errors=True) as name:
        tasks = []
        for number, run in enumerate(reversed(cells.values())):
            options = _write_options(run, Path(name) / f"{number}.yaml")
            log = Path(name) / f"{number}.txt"
            tasks.append(Task(run.name, "check", ("-c", str(options)), log, _setting(run)))
        for outcome in pool.run(tasks):
            if outcome.error is not None:
                cell = outcome.task.name.rpartition(" seed ")[0]
                raise StudyError(f"{cell}: {outcome.error}" if cell else outcome.error)


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
        number = f"[{self.done:{len(str(self._total))}}/{self._total}]"
        print(f"{number} {run.name}: {text} ({left / 60:.1f} min left)", flush=True)
