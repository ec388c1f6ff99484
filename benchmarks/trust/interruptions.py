"""A training that is killed again and again, and continued each time, against one that is not.

    python benchmarks/trust/interruptions.py

Runs a configuration once from start to end. Then starts it with ``--resume auto`` and stops it at
random moments, by SIGKILL or SIGTERM, until it was stopped often enough; a run that gets to its end
is compared with the straight one and another one begins. Weights, optimizer, random generators,
every logged number and the results have to be equal bit for bit.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qgnn_lightning.provenance import commit
from qgnn_lightning.storage import atomic_path

RESULT = Path(__file__).parent / "results" / "interruptions.json"
CONFIG = Path(__file__).parents[2] / "configs" / "experiment" / "cora_int2.yaml"


def command(run: Path, epochs: int) -> list[str]:
    """The command that starts or continues a run."""
    options = ["-c", str(CONFIG), f"--trainer.max_epochs={epochs}", f"--run_dir={run}"]
    program = [sys.executable, "-m", "qgnn_lightning.cli", "fit", "--resume=auto"]
    return [*program, "--trainer.enable_progress_bar=false", *options]


def state(run: Path) -> dict[str, Any]:
    """All that has to be equal, as plain values."""
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    results = json.loads((run / "results.json").read_text())
    return {
        "weights": {k: v.tolist() for k, v in last["state_dict"].items()},
        "best": {k: v.tolist() for k, v in best["state_dict"].items()},
        "optimizer": str(last["optimizer_states"]),
        "random": str(last["callbacks"]["RandomState"]),
        "scalars": {
            tag: [(one.step, one.value) for one in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
            if not tag.startswith("hp/")
        },
        "diagnostics": (run / "diagnostics.jsonl").read_text(),
        "results": [results[key] for key in ("accuracy", "best_epoch", "epochs", "diagnostics")],
    }


def first_difference(expected: object, found: object) -> list[str | None]:
    """The first line in which two values differ, of each; ``None`` behind the last line."""
    lines = (
        json.dumps(one, indent=0).replace(r"\n", "\n").split("\n") for one in (expected, found)
    )
    pairs = (pair for pair in zip_longest(*lines) if pair[0] != pair[1])
    return [line and line[:200] for line in next(pairs)]


def interrupt(run: Path, epochs: int, generator: random.Random, longest: float) -> str | None:
    """Start or continue a run and stop it; ``None`` where it got to its end before."""
    number = generator.choice((signal.SIGKILL, signal.SIGTERM))
    with subprocess.Popen(
        command(run, epochs), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # "run directory": the training begins
        timer = threading.Timer(generator.uniform(0, longest), process.send_signal, [number])
        timer.start()
        process.stdout.read()
        code = process.wait()
        timer.cancel()
    if code == 0:
        return None
    expected = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[number]
    if code not in (expected, -signal.SIGTERM):  # before its handler is there, it ends at once
        raise RuntimeError(f"exit code {code} after {number.name}")
    return number.name


def main() -> None:
    """Run, interrupt, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--interruptions", type=int, default=20)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds into the training")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    done: list[str] = []
    different: list[dict[str, Any]] = []
    finished = 0
    with tempfile.TemporaryDirectory() as folder:
        straight = Path(folder) / "straight"
        subprocess.run(command(straight, arguments.epochs), check=True, stdout=subprocess.DEVNULL)
        expected = state(straight)
        run = Path(folder) / "run_0"
        while len(done) < arguments.interruptions:
            stopped = interrupt(run, arguments.epochs, generator, arguments.longest)
            if stopped is not None:
                done.append(stopped)
                print(f"{len(done):3} {stopped}", flush=True)
            if stopped is None or len(done) == arguments.interruptions:
                subprocess.run(
                    command(run, arguments.epochs), check=True, stdout=subprocess.DEVNULL
                )
                found = state(run)
                different += [
                    {"run": finished, "what": name, "lines": first_difference(value, found[name])}
                    for name, value in expected.items()
                    if value != found[name]
                ]
                finished += 1
                run = Path(folder) / f"run_{finished}"
    result = {
        "commit": commit(),
        "epochs": arguments.epochs,
        "interruptions": {name: done.count(name) for name in sorted(set(done))},
        "runs": finished,
        "different": different,
    }
    with atomic_path(RESULT) as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
