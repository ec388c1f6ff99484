"""Damaged and crafted checkpoints through the commands that read them: one line of error, no more.

    python benchmarks/trust/fuzz.py

Trains a small network, changes its checkpoint, and gives each result to ``qgnn info``, ``test``,
``predict`` and ``fit --ckpt_path``. A third each: bytes of the file; bytes of the pickle in it,
with right check sums; single values, among them objects that run a command where they are
unpickled. A failure is: another exit code than 0, 1 or 2, more than one line of error, an error
that is not worded by this program, a command run or a connection made, a file outside of the run,
more than a minute, or more than 1 GiB of memory in the end.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from small_graph import DATA

from qgnn_lightning.cli import main as qgnn
from qgnn_lightning.provenance import commit
from qgnn_lightning.storage import atomic_path

RESULT = Path(__file__).parent / "results" / "fuzz.json"
FIT = [
    "--model.num_steps=3",
    "--model.hidden_features=8",
    "--observers=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.logger=false",
]
CANARY = "canary"
MOST_MIB = 1024
COMMIT = commit()
SECONDS = 60
_WATCHED = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")


class _Runs:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return (os.system, (f"touch {CANARY}",))


class _Evaluates:
    def __reduce__(self):
        return (eval, (f"open({CANARY!r}, 'w').close()",))


class _TakesMemory:
    def __reduce__(self):
        return (bytearray, (2**33,))


def _nested(depth: int = 40) -> list[Any]:
    """A list whose text has 2**depth characters."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return value


STRANGE = [
    None, True, 0, -1, 2**31, 10**9, 10**30, -(10**30), 0.5, float("nan"), float("inf"), "",
    "x" * 999,
    "../../etc/passwd", "/etc/passwd", "a\nb", "os.system", "2.0.0", [], {}, [1, 2], {"a": 1},
    {"class_path": "antigravity.Flight"}, b"bytes", (1, 2), 1j, torch.zeros(0), torch.zeros(3, 5),
    torch.full((2,), float("nan")), torch.zeros(1).expand(10**6, 10**6), torch.tensor(7),
    torch.zeros(2, dtype=torch.complex64), _nested(), _Runs(), _Evaluates(), _TakesMemory(),
]  # fmt: skip


def mutate(content: bytes, generator: random.Random) -> bytes:
    """Flip bytes, cut, leave out, repeat or overwrite a stretch."""
    kind = generator.randrange(5)
    start, stop = sorted(generator.randrange(len(content)) for _ in range(2))
    if kind == 0:
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 16)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        return bytes(damaged)
    if kind == 1:
        return content[:stop]
    if kind == 2:
        return content[:start] + content[stop:]
    if kind == 3:
        return content[:stop] + content[start:]
    return content[:start] + generator.randbytes(stop - start) + content[stop:]


def mutate_pickle(content: bytes, generator: random.Random) -> bytes:
    """Change a few bytes of the pickle, and write the archive anew."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name.endswith("data.pkl"):
                part = _few_bytes(part, generator)
            new.writestr(name, part)
    return written.getvalue()


def _few_bytes(content: bytes, generator: random.Random) -> bytes:
    if generator.random() < 0.2:
        return mutate(content, generator)
    damaged = bytearray(content)
    for _ in range(generator.randint(1, 3)):
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    return bytes(damaged)


def mutate_value(content: bytes, generator: random.Random) -> bytes:
    """Replace, remove or add a value anywhere in the tables of the checkpoint."""
    checkpoint = torch.load(io.BytesIO(content), weights_only=True)
    place: Any = checkpoint
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = generator.choice(keys)
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or generator.random() < 0.15:
            break
        place = inner
    kind = generator.random()
    if kind < 0.1:
        del place[key]
    elif kind < 0.2 and isinstance(place, dict):
        place[generator.choice(["_class_path", "class_path", "x", "__class__"])] = "os.system"
    else:
        place[key] = generator.choice(STRANGE)
    written = io.BytesIO()
    torch.save(checkpoint, written)
    return written.getvalue()


KINDS = {"bytes": mutate, "pickle": mutate_pickle, "values": mutate_value}


def commands(path: Path) -> list[list[str]]:
    """What reads a checkpoint."""
    stored = f"--ckpt_path={path}"
    return [
        ["info", str(path)],
        ["test", *DATA, stored],
        ["predict", *DATA, stored, "--output=out.csv"],
        ["fit", *DATA, *FIT, "--trainer.max_epochs=3", stored, "--run_dir=again"],
    ]


class Watch:
    """What a process does that no reader of a file should do."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        sys.addaudithook(self._note)
        signal.signal(signal.SIGALRM, self._too_long)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _WATCHED:
            self.seen.append(f"{event} {arguments!r}"[:200])

    def _too_long(self, *_: Any) -> None:
        self.seen.append("too long")
        raise TimeoutError

    def call(self, arguments: list[str]) -> tuple[int, str]:
        """Exit code and standard error of a command."""
        error = io.StringIO()
        signal.alarm(SECONDS)
        with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
            code = qgnn(arguments)
        signal.alarm(0)
        return code, error.getvalue()

    def fault(self, command: str, code: int, error: str) -> str | None:
        """What is wrong with an outcome."""
        if self.seen:
            return self.seen.pop()
        if code not in (0, 1, 2):
            return f"exit code {code}"
        if code and not error.startswith(f"qgnn {command}: error: "):
            return "not our words"
        if re.match(r"qgnn \w+: error: \w+(Error|Exception|Exit)?\b:", error):
            return "an error of a library"
        if error.count("\n") > bool(code):
            return "more than a line"
        strange = {path.name for path in Path().iterdir()} - {"run", "again", "out.csv", "m.ckpt"}
        return f"files {strange}" if strange else None


def main() -> None:
    """Damage and read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    codes: collections.Counter[str] = collections.Counter()
    messages: collections.Counter[str] = collections.Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        assert qgnn(["fit", *DATA, *FIT, "--trainer.max_epochs=2", "--run_dir=run"]) == 0
        content = Path("run/checkpoints/last.ckpt").read_bytes()
        path = Path("m.ckpt").absolute()
        watch = Watch()
        for number in range(arguments.mutants):
            kind = list(KINDS)[number % len(KINDS)]
            path.write_bytes(KINDS[kind](content, generator))
            for command in commands(path):
                code, error = watch.call(command)
                codes[f"{kind}: {command[0]} {code}"] += 1
                messages[re.sub(r"/\S*|\d+", "_", error.strip())[:160]] += 1
                fault = watch.fault(command[0], code, error)
                if fault is not None:
                    failures.append(f"{number} {kind} {command[0]}: {fault}: {error[-300:]}")
                    print(failures[-1], flush=True)
            shutil.rmtree("again", ignore_errors=True)
            if number % 100 == 99 or number + 1 == arguments.mutants:
                write(number + 1, arguments.seed, codes, messages, failures)
    sys.exit(bool(failures))


def write(
    mutants: int,
    seed: int,
    codes: collections.Counter[str],
    messages: collections.Counter[str],
    failures: list[str],
) -> None:
    """Write what was found so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if peak > MOST_MIB:
        failures.append(f"{peak} MiB after {mutants} mutants")
    result = {
        "commit": COMMIT,
        "mutants": mutants,
        "seed": seed,
        "exit_codes": dict(sorted(codes.items())),
        "peak_MiB": peak,
        "failures": failures,
        "messages": dict(messages.most_common()),
    }
    with atomic_path(RESULT) as file:
        file.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: result[name] for name in ("mutants", "exit_codes", "peak_MiB")}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
