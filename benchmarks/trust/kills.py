"""A process that is killed before every kind of change of its files, and started again.

    python benchmarks/trust/kills.py

A kind is an operation (opening, write, fsync, truncation, chmod, rename, removal, folder) and what
the file is: which checkpoint, log, result or unfinished file. Of each kind the first, a middle and
the last change are looked up in a run that is not killed; then the command is started again for
each, and dies before it as by kill -9, with half of the bytes written where it is a write (Linux,
with a C compiler). Afterwards every checkpoint, configuration and result is whole or not there,
``qgnn report`` says in one line what it finds, and the same command, started again, ends as if
nothing had happened. What was found is written after each kill, and the study goes on from there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from interruptions import state
from killing import Change, Place, forked, places, preload
from small_graph import DATA

from qgnn_lightning.provenance import commit
from qgnn_lightning.run import read_checkpoint
from qgnn_lightning.storage import atomic_path

RESULT = Path(__file__).parent / "results" / "kills.json"
FIT = ["fit", *DATA, "--model.num_steps=3", "--model.hidden_features=8", "--resume=auto"]
FIT += ["--trainer.max_epochs=27", "--histograms.every_n_epochs=2", "--model.dropout=0.5"]
SEEDS = ["seeds", *DATA, "--model.num_steps=3", "--trainer.max_epochs=2", "--jobs=1"]
SEEDS += ["--observers=false", "--seeds=2"]
_PACKED = "model.safetensors"


@dataclass
class Results:
    """What every kill has shown so far.

    Args:
        path: The file.
        commands: Of each command the commit it was killed at, and its kills by the name of the
            place.
    """

    path: Path
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Results:
        """Read what an earlier study has left."""
        return cls(path, json.loads(path.read_text()) if path.is_file() else {})

    def of_command(self, command: str) -> dict[str, dict[str, Any]]:
        """Its kills; none where they were at another commit."""
        if self.commands.get(command, {}).get("commit") != commit():
            self.commands[command] = {"commit": commit(), "kills": {}}
        kills: dict[str, dict[str, Any]] = self.commands[command]["kills"]
        return kills

    def add(self, command: str, place: Place, wrong: Sequence[str]) -> None:
        """Write down what one kill has shown."""
        self.of_command(command)[place.name] = {**asdict(place), "wrong": list(wrong)}
        print(f"{command}: {place.name}", *wrong, sep="\n  ", flush=True)
        with atomic_path(self.path) as path:
            path.write_text(json.dumps(self.commands, indent=1) + "\n")
        with atomic_path(self.path.with_suffix(".md")) as path:
            path.write_text(table(self.commands))

    @property
    def wrong(self) -> list[str]:
        """All that was not as it has to be."""
        kills = (kill for found in self.commands.values() for kill in found["kills"].values())
        return [one for kill in kills for one in kill["wrong"]]


def table(commands: dict[str, dict[str, Any]]) -> str:
    """The kills as Markdown: a row per kind of change."""
    lines = ["| Command | Change | File | In a run | Killed before | Wrong |"]
    lines.append("|---|---|---|---|---|---|")
    for command, of_command in commands.items():
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for kill in of_command["kills"].values():
            kinds.setdefault((kill["operation"], kill["file"]), []).append(kill)
        for (operation, file), found in kinds.items():
            which = ", ".join(kill["which"] for kill in found)
            wrong = "; ".join(one for kill in found for one in kill["wrong"]) or "-"
            cells = [command, operation, f"`{file}`", found[0]["of"], which, wrong]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Victim:
    """A command that is killed.

    Args:
        name: Its name.
        command: What stands behind ``qgnn``.
        folder: Changes below it count.
        prepare: Brings the folder into the state before the command.
        check: What is wrong after a kill.
    """

    name: str
    command: Sequence[str]
    folder: Path
    prepare: Callable[[], object]
    check: Callable[[], Sequence[str]]

    def changes(self) -> tuple[Change, ...]:
        """The changes of files when nothing interferes."""
        self.prepare()
        ending = forked(self.command, self.folder)
        assert ending.code == 0, ending.error
        return ending.changes

    def study(self, results: Results) -> None:
        """Kill it wherever that was not done yet."""
        done = results.of_command(self.name)
        for place in places(self.changes()):
            if place.name not in done:
                results.add(self.name, *self._kill(place))

    def _kill(self, place: Place) -> tuple[Place, Sequence[str]]:
        """Kill it once; a log may come to the disk in fewer writes than before."""
        self.prepare()
        ending = forked(self.command, self.folder, place)
        kinds = [(one.operation, one.pattern) for one in ending.changes]
        made = kinds.count((place.operation, place.pattern))
        if ending.code == 0 and 0 < made <= place.number:
            return self._kill(replace(place, number=made - 1))
        if ending.code != -signal.SIGKILL:
            return place, [f"exit code {ending.code}: {ending.error}"]
        assert made == place.number + 1
        return place, self.check()


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


def fit(run: Path, straight: Path, start: Path | None = None) -> Victim:
    """``qgnn fit --resume auto``, on an empty folder or one in which a run was broken off."""
    command = [*FIT, f"--run_dir={run}", f"--export={run / _PACKED}"]
    expected = state(straight)

    def prepare() -> None:
        shutil.rmtree(run, ignore_errors=True)
        if start is not None:
            shutil.copytree(start, run)

    def check() -> list[str]:
        wrong = broken(run)
        report = forked(["report", str(run), "-o", str(run.parent / "report.html")], run)
        if report.code not in (0, 1, 2) or report.error.count("\n") != bool(report.code):
            wrong.append(f"report ends with {report.code}: {report.error}")
        restart = forked(command, run)
        if restart.code:
            return [*wrong, f"restart ends with {restart.code}: {restart.error}"]
        found = state(run)
        wrong += [f"{one} differs" for one in expected if expected[one] != found[one]]
        if (run / _PACKED).read_bytes() != (straight / _PACKED).read_bytes():
            wrong.append("the packed file differs")
        return [*wrong, *(f"{one.name} is left" for one in run.rglob(".unfinished*"))]

    return Victim("fit" if start is None else "fit --resume auto", command, run, prepare, check)


def broken_off(run: Path, straight: Victim) -> Path:
    """A run that was killed when its checkpoint of epoch 25 had got its name."""
    renames = [one.pattern for one in straight.changes() if one.operation == "rename"]
    number = renames.index("checkpoints/last.ckpt") + 1
    place = Place("rename", "", "", 0, renames[number], renames[:number].count(renames[number]))
    straight.prepare()
    assert forked(straight.command, straight.folder, place).code == -signal.SIGKILL
    assert (straight.folder / "checkpoints" / "last.ckpt").is_file()
    assert not (straight.folder / "results.json").exists()
    return straight.folder.rename(run)


def one_file(name: str, command: Sequence[str], target: Path) -> Victim:
    """A command that writes one file, on top of an older one."""
    filled = [one.replace("TARGET", str(target)) for one in command]

    def prepare() -> None:
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir()
        target.write_bytes(b"old")

    prepare()
    ending = forked(filled, target.parent)
    assert ending.code == 0, ending.error
    new = target.read_bytes()

    def check() -> list[str]:
        return [] if target.read_bytes() in (b"old", new) else ["neither old nor new"]

    return Victim(name, filled, target.parent, prepare, check)


def seeds(folder: Path) -> Victim:
    """``qgnn seeds``: a finished run is kept, an unfinished one is made again."""
    command = [*SEEDS, "-o", str(folder)]

    def check() -> list[str]:
        wrong = broken(folder)
        ending = forked(command, folder)
        if ending.code:
            return [*wrong, f"restart ends with {ending.code}: {ending.error}"]
        cell = json.loads((folder / "results.json").read_text())["cells"][0]
        wrong += [] if len(cell["runs"]) == 2 else [f"{len(cell['runs'])} runs, not 2"]
        left = (*folder.rglob(".unfinished*"), *folder.rglob(".check*"))
        return [*wrong, *(f"{one.name} is left" for one in left)]

    return Victim("seeds", command, folder, lambda: shutil.rmtree(folder, True), check)


def main() -> None:
    """Kill, look, start again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the name of what is killed")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    preload()
    results = Results.of(arguments.output)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        straight = folder / "straight"
        command = [*FIT, f"--run_dir={straight}", f"--export={straight / _PACKED}"]
        assert forked(command, straight).code == 0
        checkpoint = straight / "checkpoints" / "best.ckpt"
        written = {
            "export": ("a.safetensors", ["export", f"{checkpoint}", "-o", "TARGET"]),
            "predict": ("a.csv", ["predict", f"--ckpt_path={checkpoint}", "--output=TARGET"]),
            "report": ("a.html", ["report", f"{straight}", "-o", "TARGET"]),
            "data check": ("a.png", ["data", "check", *DATA, "--plot=TARGET"]),
        }
        victims: dict[str, Callable[[], Victim]] = {
            one: lambda one=one, file=file, words=words: one_file(
                one, words, folder / "written" / file
            )
            for one, (file, words) in written.items()
        }
        whole = fit(folder / "run", straight)
        victims["fit"] = lambda: whole
        victims["fit --resume auto"] = lambda: fit(
            folder / "run", straight, broken_off(folder / "middle", whole)
        )
        victims["seeds"] = lambda: seeds(folder / "seeds")
        for one, make in victims.items():
            if arguments.only in one:
                make().study(results)
    sys.exit(bool(results.wrong))


if __name__ == "__main__":
    main()
