"""Damaged checkpoints through the commands that read them: one line of error, nothing else.

    python benchmarks/trust/fuzz.py

Trains a small network, changes its checkpoint in every way below, and gives each result to
``qgnn info``, ``test``, ``predict`` and ``fit --ckpt_path``. Recorded are the exit codes; a
traceback or an exit code of another kind is a failure.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import random
import resource
import tempfile
from pathlib import Path

from qgnn_lightning.cli import main as qgnn
from qgnn_lightning.provenance import commit
from qgnn_lightning.storage import atomic_path

RESULT = Path(__file__).parent / "results" / "fuzz.json"
DATA = [
    "--data.source=block_model", "--data.split=random", "--data.num_nodes=60",
    "--data.num_edges=150", "--data.num_classes=3", "--data.num_features=8",
    "--data.num_train_per_class=4", "--data.num_val=10", "--data.num_test=10",
]  # fmt: skip
FIT = ["--trainer.max_epochs=2", "--observers=false", "--trainer.enable_progress_bar=false"]


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


def commands(path: Path, number: int) -> list[list[str]]:
    """What reads a checkpoint."""
    stored = f"--ckpt_path={path}"
    return [
        ["info", str(path)],
        ["test", *DATA, stored],
        ["predict", *DATA, stored, "--output=out.csv"],
        ["fit", *DATA, *FIT, stored, f"--run_dir=again_{number}"],
    ]


def call(arguments: list[str]) -> tuple[int, str]:
    """Exit code and standard error of a command."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        code = qgnn(arguments)
    return code, error.getvalue()


def main() -> None:
    """Damage and read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    codes: collections.Counter[str] = collections.Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        assert call(["fit", *DATA, *FIT, "--run_dir=run"])[0] == 0
        content = Path("run/checkpoints/last.ckpt").read_bytes()
        path = Path("mutant.ckpt").absolute()
        for number in range(arguments.mutants):
            path.write_bytes(mutate(content, generator))
            for command in commands(path, number):
                code, error = call(command)
                codes[f"{command[0]} {code}"] += 1
                if code not in (0, 1, 2) or "Traceback" in error or error.count("\n") > 1:
                    failures.append(f"{number} {command[0]} {code}: {error[-300:]}")
                    print(failures[-1], flush=True)
            if number % 200 == 199:
                print(number + 1, dict(codes), flush=True)
    result = {
        "commit": commit(),
        "mutants": arguments.mutants,
        "seed": arguments.seed,
        "exit_codes": dict(sorted(codes.items())),
        "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "failures": failures,
    }
    with atomic_path(RESULT) as file:
        file.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result)[:600])


if __name__ == "__main__":
    main()
