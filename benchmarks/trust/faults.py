"""Every fault with every command that can meet it: message, exit code, and what is left on disk.

    python benchmarks/trust/faults.py

Each cell starts from a finished run of three epochs. Disks that are full or read-only are small
tmpfs, which needs root; without it these cells are left out. Tests run the same cells.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from small_graph import DATA

from qgnn_lightning.cli import main as qgnn
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.provenance import commit
from qgnn_lightning.storage import atomic_path

RESULT = Path(__file__).parent / "results" / "faults.json"
MODEL = ["--model.num_steps=3", "--model.hidden_features=8", "--observers=false"]
FIT = ["fit", *DATA, *MODEL, "--trainer.enable_progress_bar=false"]
RESUME = [*FIT, "--trainer.max_epochs=6", "--run_dir=run", "--resume=auto"]
SEEDS = ["seeds", *DATA, *MODEL, "--seeds=1", "--jobs=1", "--trainer.max_epochs=2"]
LAST, BEST = "run/checkpoints/last.ckpt", "run/checkpoints/best.ckpt"
READERS = {
    "fit --ckpt_path": [*FIT, f"--ckpt_path={LAST}", "--run_dir=other"],
    "test": ["test", *DATA, f"--ckpt_path={LAST}"],
    "predict": ["predict", *DATA, f"--ckpt_path={LAST}", "--output=p.csv"],
    "export": ["export", LAST, "-o", "m.safetensors"],
    "info": ["info", LAST],
}
#: What writes to the folder DISK.
WRITERS = {
    "fit": [*FIT, "--trainer.max_epochs=3", "--run_dir=DISK/run"],
    "fit --resume auto": [*FIT, "--trainer.max_epochs=6", "--run_dir=DISK/old", "--resume=auto"],
    "fit --export": [*FIT, "--trainer.max_epochs=2", "--run_dir=r", "--export=DISK/m.safetensors"],
    "predict": ["predict", *DATA, f"--ckpt_path={LAST}", "--output=DISK/p.csv"],
    "export": ["export", LAST, "-o", "DISK/m.safetensors"],
    "report": ["report", "run", "-o", "DISK/r.html"],
    "seeds": [*SEEDS, "-o", "DISK/seeds"],
    "study": ["study", "study.yaml", "-o", "DISK/s.json", "--jobs=1"],
    "data check": ["data", "check", *DATA, "--plot=DISK/p.png"],
}
#: Those that write a file that an option names: it is looked at before anything is computed.
TO_A_FILE = ("fit --export", "predict", "export", "report", "data check")
#: Faults that are found before anything is touched.
AT_THE_START = ("truncated", "bit-flipped", "damaged", "read-only")
#: What the message says besides where the disk is.
LEFT = {("full disk", "fit --export"): "DISK/m.safetensors .* the results are in r/results.json"}
STUDY = (
    "base:\n  - {data.source: block_model, data.split: random}\n"
    "axes:\n  model.num_steps: [3]\nseeds: 0..0\n"
)


@dataclass(frozen=True)
class Cell:
    """A fault and a command.

    Args:
        fault: Its name.
        command: The name of the command.
        arguments: What is typed.
        code: The exit code.
        message: A pattern of the only line of error.
        prepare: Brings the fault about in the current folder.
    """

    fault: str
    command: str
    arguments: list[str]
    code: int
    message: str
    prepare: Callable[[], contextlib.AbstractContextManager[None] | None] = lambda: None


def cut(name: str) -> Callable[[], None]:
    """Half of a file is missing."""
    return lambda: os.truncate(name, Path(name).stat().st_size // 2)


def flip(name: str) -> Callable[[], None]:
    """One bit of a weight is another."""

    def change() -> None:
        content = bytearray(Path(name).read_bytes())
        weight = torch.load(name, weights_only=True)["state_dict"]["network.encoder.weight"]
        content[content.index(weight.numpy().tobytes()) + 5] ^= 16
        Path(name).write_bytes(content)

    return change


def overwrite(pattern: str, content: bytes) -> Callable[[], None]:
    """Files hold something else."""

    def change() -> None:
        for path in list(Path().glob(pattern)) or [Path(pattern)]:
            path.write_bytes(content)

    return change


@contextlib.contextmanager
def disk(options: str, fill: bool) -> Iterator[None]:
    """A disk at DISK that is full or cannot be written to; it holds an older run."""
    Path("DISK").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "DISK"], check=True)
    try:
        shutil.copytree("run", "DISK/old")
        if fill:
            with contextlib.suppress(OSError), Path("DISK/filled").open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        subprocess.run(["mount", "-o", f"remount,{options}", "DISK"], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", "DISK"], check=True)


@contextlib.contextmanager
def range_is_lost() -> Iterator[None]:
    """In the fifth step a range becomes NaN, after the loss was computed."""
    step = NodeClassifier.optimizer_step

    def broken(self: NodeClassifier, *args: object, **kwargs: object) -> None:
        step(self, *args, **kwargs)
        if self.trainer.global_step == 5:
            next(
                buffer for name, buffer in self.network.state_dict().items() if "quantizer" in name
            ).fill_(torch.nan)

    NodeClassifier.optimizer_step = broken  # type: ignore[method-assign]
    try:
        yield
    finally:
        NodeClassifier.optimizer_step = step  # type: ignore[method-assign]


def cells() -> list[Cell]:
    """The matrix."""
    damaged = "is cut off or damaged"
    found = []
    for fault, damage in {"truncated checkpoint": cut, "bit-flipped checkpoint": flip}.items():
        for command, arguments in READERS.items():
            found.append(Cell(fault, command, arguments, 2, damaged, damage(LAST)))
        found.append(Cell(fault, "fit --resume auto", RESUME, 2, damaged, damage(LAST)))
        hint = "best.ckpt is cut off or damaged: remove it to go on"
        found.append(Cell(f"{fault} (best)", "fit --resume auto", RESUME, 1, hint, damage(BEST)))
    events = "run/events.out.tfevents.*"
    other = overwrite(events, b"\xff" * 999)
    found.append(Cell("damaged event file", "fit --resume auto", RESUME, 1, "remove it", other))
    found.append(Cell("damaged event file", "report", ["report", "run"], 0, "", other))
    other = overwrite("run/diagnostics.jsonl", b"\xff[\n")
    found.append(Cell("damaged diagnostics", "fit --resume auto", RESUME, 1, "remove it", other))
    found.append(Cell("damaged diagnostics", "report", ["report", "run"], 1, "diagnostics", other))
    results = overwrite("run/results.json", b'{"a')
    found.append(Cell("damaged results", "report", ["report", "run"], 1, "results.json", results))
    high = [*FIT, "--model.learning_rate=1e30", "--trainer.max_epochs=9", "--run_dir=other"]
    found.append(Cell("NaN in the loss", "fit", high, 1, "try a lower learning_rate"))
    found.append(
        Cell("NaN in a range", "fit --resume auto", RESUME, 1, r"network\.\w+.*", range_is_lost)
    )
    for fault, options, fill in (("read-only disk", "ro", False), ("full disk", "size=1m", True)):
        for command, arguments in WRITERS.items():
            message = LEFT.get((fault, command), "DISK")
            at_once = (*TO_A_FILE, "fit", "fit --resume auto")
            code = 2 if options == "ro" and command in at_once else 1
            found.append(
                Cell(fault, command, arguments, code, message, lambda o=options, f=fill: disk(o, f))
            )
    return found


def start(folder: Path) -> None:
    """What every cell starts from: a finished run and a study."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        assert qgnn([*FIT, "--trainer.max_epochs=3", "--run_dir=run"]) == 0
    (folder / "study.yaml").write_text(STUDY)


def snapshot() -> dict[str, str]:
    """Check sum of every file below the current folder."""
    files = (path for path in sorted(Path().rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(cell: Cell, begin: Path, folder: Path) -> dict[str, object]:
    """Bring the fault about, run the command, and see what is left."""
    shutil.copytree(begin, folder)
    error = io.StringIO()
    with contextlib.chdir(folder), cell.prepare() or contextlib.nullcontext():
        before = snapshot()
        with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
            code = qgnn(cell.arguments)
        after = snapshot()
    changes = {
        "new": sorted(after.keys() - before.keys()),
        "gone": sorted(before.keys() - after.keys()),
        "changed": [name for name in before if after.get(name, before[name]) != before[name]],
    }
    return {
        "fault": cell.fault,
        "command": cell.command,
        "message": error.getvalue().strip().replace(f"{folder}/", ""),
        "code": code,
        "left": {name: files for name, files in changes.items() if files},
    }


def wrong(cell: Cell, outcome: dict[str, object]) -> str | None:
    """What is not as it has to be."""
    message = str(outcome["message"])
    if outcome["code"] != cell.code or "\n" in message:
        return f"exit code {outcome['code']}: {message}"
    if not re.search(cell.message, message) or bool(message) != bool(cell.code):
        return message
    left = outcome["left"]
    assert isinstance(left, dict)
    if cell.fault.startswith(AT_THE_START) and cell.code and left:
        return f"touched {left}"
    if cell.code and {name for name in left.get("gone", []) if "tfevents" not in name}:
        return f"lost {left['gone']}"
    unfinished = [one for names in left.values() for one in names if ".unfinished" in one]
    return f"left {unfinished}" if unfinished else None


def has_mount() -> bool:
    """Whether this process may mount a tmpfs."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


def main() -> None:
    """Run the matrix."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    outcomes, faults = [], []
    mounts = has_mount()
    with tempfile.TemporaryDirectory() as name:
        begin = Path(name) / "begin"
        begin.mkdir()
        start(begin)
        for number, cell in enumerate(cells()):
            if cell.fault.endswith("disk") and not mounts:
                continue
            outcomes.append(run(cell, begin, Path(name) / str(number)))
            fault = wrong(cell, outcomes[-1])
            if fault is not None:
                faults.append(f"{cell.fault}, {cell.command}: {fault}")
                print(faults[-1], flush=True)
    result = {"commit": commit(), "wrong": faults, "cells": outcomes}
    with atomic_path(RESULT) as file:
        file.write_text(json.dumps(result, indent=1) + "\n")
    with atomic_path(RESULT.with_suffix(".md")) as file:
        file.write_text(table(outcomes))
    sys.exit(bool(faults))


def table(outcomes: list[dict[str, object]]) -> str:
    """The matrix as Markdown."""
    lines = ["| Fault | Command | Exit code | Message | On disk |", "|---|---|---|---|---|"]
    for one in outcomes:
        left = one["left"]
        assert isinstance(left, dict)
        kept = "; ".join(f"{name} {', '.join(files)}" for name, files in left.items())
        cells = [one["fault"], one["command"], one["code"], one["message"] or "-"]
        lines.append(f"| {' | '.join(map(str, cells))} | {kept or 'as before'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
