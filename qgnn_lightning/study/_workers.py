"""Processes that do one task after another, several of them at a time."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

_SECONDS_TO_STOP = 5.0
#: What a worker answers where an option is wrong.
_REFUSED = 2


@dataclass(frozen=True)
class Task:
    """What a worker is asked to do.

    Args:
        name: Tells tasks apart.
        command: What the worker understands: ``fit``, ``check_options`` or ``check_data``.
        arguments: The arguments of the command.
        log: File for everything that is printed.
        setting: A worker does tasks of one setting only; another one gets a fresh process.
    """

    name: str
    command: str
    arguments: tuple[str, ...]
    log: Path
    setting: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Args:
        task: The task.
        error: What went wrong, in one line; ``None`` where nothing did.
        refused: Whether an option is wrong, and nothing was done.
    """

    task: Task
    error: str | None
    refused: bool = False


class Worker:
    """A process with one thread that takes a task as a line of JSON and answers with a code.

    It is in a session of its own, so that Ctrl-C reaches it only through its owner; without an
    owner it ends after the task at hand, because its standard input ends.

    Args:
        program: The command line of the worker.
        setting: What its tasks have in common.
    """

    def __init__(self, program: Sequence[str], setting: str) -> None:
        self.setting = setting
        self.task: Task | None = None
        self._process = subprocess.Popen(
            list(program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    @property
    def answers(self) -> IO[str]:
        """Readable when the task is done or the process is gone."""
        assert self._process.stdout is not None
        return self._process.stdout

    def start(self, task: Task) -> None:
        """Hand over a task.

        Args:
            task: The task.
        """
        self.task = task
        request = {
            "command": task.command,
            "arguments": task.arguments,
            "log": str(task.log.absolute()),
        }
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer is then the end of its output
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def finish(self) -> tuple[Outcome, bool]:
        """Read the answer; says besides whether the process can do more."""
        task = self.task
        assert task is not None
        self.task = None
        answer = self.answers.readline()
        if answer:
            code = json.loads(answer)
            error = None if code == 0 else _error_line(task.log, code)
            return Outcome(task, error, code == _REFUSED), True
        return Outcome(task, _how_it_ended(self._process.wait())), False

    def terminate(self) -> None:
        """Ask the process to end, in the middle of a task if need be."""
        self._process.terminate()

    def stop(self) -> None:
        """End the process, and wait until it has ended."""
        self.terminate()
        try:
            self._process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class WorkerPool:
    """Workers that are started when they are needed and stopped at the end of the block.

    Args:
        program: The command line of a worker.
        jobs: How many there are at most, at least 1.
    """

    def __init__(self, program: Sequence[str], jobs: int) -> None:
        self._program = program
        self._jobs = jobs
        self._idle: list[Worker] = []
        self._busy = selectors.DefaultSelector()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        busy = [key.data for key in self._busy.get_map().values()]
        for worker in [*self._idle, *busy]:
            worker.terminate()
        for worker in [*self._idle, *busy]:
            worker.stop()
        self._busy.close()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Do the tasks, and give their outcomes as they end.

        Args:
            tasks: In the order in which they are started.
        """
        waiting = iter(tasks)
        while True:
            while len(self._busy.get_map()) < self._jobs and (task := next(waiting, None)):
                worker = self._worker(task.setting)
                worker.start(task)
                self._busy.register(worker.answers, selectors.EVENT_READ, worker)
            if not self._busy.get_map():
                return
            for key, _ in self._busy.select():
                yield self._finish(key.data)

    def _worker(self, setting: str) -> Worker:
        for worker in self._idle:
            if worker.setting == setting:
                self._idle.remove(worker)
                return worker
        if self._idle:
            self._idle.pop().stop()
        return Worker(self._program, setting)

    def _finish(self, worker: Worker) -> Outcome:
        self._busy.unregister(worker.answers)
        outcome, usable = worker.finish()
        if usable:
            self._idle.append(worker)
        else:
            worker.stop()
        return outcome


def _error_line(log: Path, code: int) -> str:
    """The line of a log that says what went wrong."""
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = [line for line in lines if "error: " in line]
    if errors:
        return errors[-1].split("error: ", 1)[1]
    return lines[-1] if lines else f"ended with code {code}"


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"the process was killed by {signal.Signals(-code).name}"
    return f"the process ended with code {code}"
