"""A process that is killed between any two changes of its files, and what a restart makes of it.

    python benchmarks/trust/kills.py

Every write, fsync, rename, removal and opening below a folder is counted by ``kill_at.c``, which is
loaded before libc (Linux, with a C compiler). For each number n the command is started, and dies as
by kill -9 before the n-th of them, with half of the bytes written where it is a write. Afterwards
every checkpoint, configuration and result is whole or not there, ``qgnn report`` says in one line
what it finds, and the same command, started again, ends as if nothing had happened.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from interruptions import state
from small_graph import DATA

from qgnn_lightning.cli import main as qgnn
from qgnn_lightning.provenance import commit
from qgnn_lightning.run import read_checkpoint
from qgnn_lightning.storage import atomic_path

HERE = Path(__file__).parent
FIT = ["fit", *DATA, "--model.num_steps=3", "--model.hidden_features=8", "--resume=auto"]
FIT += ["--trainer.max_epochs=27", "--histograms.every_n_epochs=2", "--model.dropout=0.5"]
_MOST = 5000


def preload() -> None:
    """Start this program anew with the counter before libc."""
    folder = Path(tempfile.mkdtemp())
    library = folder / "kill_at.so"
    compiler = [
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-o",
        str(library),
        str(HERE / "kill_at.c"),
        "-ldl",
    ]
    subprocess.run(compiler, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    code = subprocess.run([sys.executable, *sys.argv], env=environment).returncode
    shutil.rmtree(folder)
    sys.exit(code)


def forked(command: list[str], folder: Path, dies_at: int = -1) -> tuple[int, str]:
    """Run a command in a copy of this process; its exit code, and what it complained of."""
    errors = folder.parent / "errors.txt"
    process = os.fork()
    if process == 0:
        code = 1
        try:
            with (
                errors.open("w") as file,
                contextlib.redirect_stderr(file),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                ctypes.CDLL(None).kill_at_arm(f"{folder}".encode(), ctypes.c_long(dies_at))
                code = qgnn(command)
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), errors.read_text()


def broken(folder: Path) -> list[str]:
    """Files that are neither whole nor absent; logs and unfinished files are what they are."""
    readers: dict[str, Callable[[Path], Any]] = {
        ".ckpt": read_checkpoint,
        ".json": lambda path: json.loads(path.read_text()),
        ".yaml": lambda path: dict(yaml.safe_load(path.read_text())),
    }
    found = []
    for path in folder.rglob("*"):
        if path.suffix in readers and not path.name.startswith("."):
            try:
                readers[path.suffix](path)
            except Exception as error:
                found.append(f"{path.relative_to(folder)}: {error}")
    return found


def after_kill(run: Path) -> list[str]:
    """What is wrong with a run directory from which a process was torn."""
    wrong = broken(run)
    page = run.parent / "report.html"
    code, error = forked(["report", str(run), "-o", str(page)], run)
    if code not in (0, 1) or error.count("\n") != code:
        wrong.append(f"report ends with {code}: {error}")
    return wrong


@dataclass
class Sweep:
    """A command that is killed before every n-th change of files, and what was wrong then."""

    every: int
    changes: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, *faults: str) -> None:
        """Write down what was wrong at this kill."""
        self.wrong += [f"{self.changes}: {one}" for one in faults]

    def killed(
        self, command: list[str], folder: Path, prepare: Callable[[], object]
    ) -> Iterator[None]:
        """Kill the command once at each of the places, until it comes to its end."""
        for number in range(0, _MOST, self.every):
            self.changes = number
            prepare()
            code, error = forked(command, folder, self.changes)
            if code == 0:
                return
            self.kills += 1
            if code != -signal.SIGKILL:
                self.note(f"exit code {code}: {error}")
            yield

    def result(self) -> dict[str, Any]:
        """As the result file has it."""
        return {"changes": self.changes, "kills": self.kills, "wrong": self.wrong}


def fit_is_continued(folder: Path, start: Path | None, every: int) -> dict[str, Any]:
    """Kill ``qgnn fit --resume auto``, on an empty folder or one in which a run was broken off."""
    straight = folder / "straight"
    if not straight.exists():
        assert forked([*FIT, f"--run_dir={straight}"], straight)[0] == 0
    expected, run, sweep = state(straight), folder / "run", Sweep(every)
    command = [*FIT, f"--run_dir={run}"]

    def prepare() -> None:
        shutil.rmtree(run, ignore_errors=True)
        if start is not None:
            shutil.copytree(start, run)

    for _ in sweep.killed(command, run, prepare):
        sweep.note(*after_kill(run))
        code, error = forked(command, run)
        if code:
            sweep.note(f"restart ends with {code}: {error}")
            continue
        found = state(run)
        sweep.note(*(f"{one} differs" for one in expected if expected[one] != found[one]))
        sweep.note(*(f"{one.name} is left" for one in run.rglob(".unfinished*")))
        print(sweep.changes, sweep.wrong[-3:], flush=True)
    return sweep.result()


def continued_from_the_middle(folder: Path, every: int) -> dict[str, Any]:
    """Kill what continues a run that was killed after its first checkpoint."""
    middle = folder / "middle"
    for number in range(0, _MOST, 25):
        shutil.rmtree(middle, ignore_errors=True)
        code, _ = forked([*FIT, f"--run_dir={middle}"], middle, number)
        if (middle / "checkpoints" / "last.ckpt").is_file():
            break
    assert code == -signal.SIGKILL
    assert not (middle / "results.json").exists()
    return fit_is_continued(folder, middle, every)


def file_is_old_or_new(folder: Path, command: list[str], name: str, every: int) -> dict[str, Any]:
    """Kill a command that writes one file, on top of an older one."""
    place = folder / "written"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    target, sweep = place / name, Sweep(every)
    filled = [one.replace("TARGET", str(target)) for one in command]
    assert forked(filled, place)[0] == 0, filled
    new = target.read_bytes()

    def prepare() -> None:
        for path in place.iterdir():
            path.unlink()
        target.write_bytes(b"old")

    for _ in sweep.killed(filled, place, prepare):
        if target.read_bytes() not in (b"old", new):
            sweep.note("neither old nor new")
    return sweep.result()


def seeds_are_continued(folder: Path, every: int) -> dict[str, Any]:
    """Kill ``qgnn seeds``: a finished run is kept, an unfinished one is made again."""
    place, sweep = folder / "seeds", Sweep(every)
    command = ["seeds", *DATA, "--model.num_steps=3", "--trainer.max_epochs=2", "--jobs=1"]
    command += ["--observers=false", "--seeds=2", "-o", str(place)]
    for _ in sweep.killed(command, place, lambda: shutil.rmtree(place, ignore_errors=True)):
        sweep.note(*broken(place))
        code, error = forked(command, place)
        if code or len(json.loads((place / "results.json").read_text())["cells"][0]["runs"]) != 2:
            sweep.note(f"restart ends with {code}: {error}")
        print("seeds", sweep.changes, sweep.wrong[-3:], flush=True)
    return sweep.result()


def main() -> None:
    """Kill, look, start again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="kill before every n-th change only")
    parser.add_argument("--only", default="", help="part of the name of what is killed")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "kills.json")
    arguments = parser.parse_args()
    if not hasattr(ctypes.CDLL(None), "kill_at_arm"):
        preload()
    every = arguments.every
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assert forked([*FIT, f"--run_dir={folder / 'straight'}"], folder / "none")[0] == 0
        checkpoint = folder / "straight" / "checkpoints" / "best.ckpt"
        written = {
            "export": (["export", str(checkpoint), "-o", "TARGET"], "a.safetensors"),
            "predict": (["predict", f"--ckpt_path={checkpoint}", "--output=TARGET"], "a.csv"),
            "report": (["report", str(folder / "straight"), "-o", "TARGET"], "a.html"),
            "data check": (["data", "check", *DATA, "--plot=TARGET"], "a.png"),
        }
        done: dict[str, Callable[[], dict[str, Any]]] = {
            "fit": lambda: fit_is_continued(folder, None, every),
            "fit --resume auto": lambda: continued_from_the_middle(folder, every),
            "seeds": lambda: seeds_are_continued(folder, every),
        }
        for command, (words, file) in written.items():
            done[command] = lambda words=words, file=file: file_is_old_or_new(
                folder, words, file, min(every, 3)
            )
        result = {name: run() for name, run in done.items() if arguments.only in name}
    with atomic_path(arguments.output) as path:
        path.write_text(json.dumps({"commit": commit(), "every": every, **result}, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    sys.exit(any(one["wrong"] for one in result.values()))


if __name__ == "__main__":
    main()
