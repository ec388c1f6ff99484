"""Train experiments over several seeds and keep what they reach.

    python benchmarks/accuracy/seeds.py cora_int2 citeseer_int2 --seeds 0 1 2 3 4 \
        --root ../shared/data/planetoid

Each run is the whole command ``qgnn fit``. One result file per experiment says the commit, the
versions, the hardware and the command; runs that it holds already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
RESULTS = HERE / "results"


def train(experiment: str, seed: int, extra: list[str]) -> dict:
    """Run one training and return its results.json, with the seconds of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *("qgnn", "fit", "-c", f"configs/experiment/{experiment}.yaml"),
            *("--seed_everything", str(seed), *extra),
        ]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--run_dir", folder],
            cwd=PROJECT,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        seconds = time.perf_counter() - start
        (found,) = Path(folder).rglob("results.json")
        result = json.loads(found.read_text())
    result["command"] = shlex.join(command)
    result["command_seconds"] = round(seconds, 1)
    return result


def commit() -> str:
    """The commit that is checked out, marked where the package differs from it."""
    name = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, text=True)
    changed = subprocess.call(
        ["git", "diff", "--quiet", "HEAD", "--", "qgnn_lightning"], cwd=PROJECT
    )
    return name.strip() + ("+changes" if changed else "")


def summary(runs: dict[str, dict]) -> dict:
    """Mean and unbiased standard deviation of the test accuracy, in percent."""
    accuracies = [100 * run["accuracy"]["test"] for run in runs.values()]
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    return {
        "test_accuracy_mean": round(statistics.mean(accuracies), 2),
        "test_accuracy_std": None if spread is None else round(spread, 2),
        "num_seeds": len(accuracies),
    }


def save(path: Path, content: dict) -> None:
    """Write a result file in one piece."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)


def main() -> None:
    """Run what is missing, and print one line per experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--root", help="folder of the data sets")
    parser.add_argument("--name", help="name of the result file (one experiment)")
    parser.add_argument("--extra", default="", help="more options of qgnn fit, in one string")
    arguments = parser.parse_args()
    extra = shlex.split(arguments.extra)
    if arguments.root:
        extra += ["--data.root", arguments.root]
    RESULTS.mkdir(exist_ok=True)
    for experiment in arguments.experiments:
        path = RESULTS / f"{arguments.name or experiment}.json"
        content = json.loads(path.read_text()) if path.exists() else {"runs": {}}
        for seed in arguments.seeds:
            if str(seed) not in content["runs"]:
                run = train(experiment, seed, extra)
                content["runs"][str(seed)] = {"commit": commit(), **run}
                content = {"summary": summary(content["runs"]), "runs": content["runs"]}
                save(path, content)
        print(f"{path.stem:24}", content["summary"], flush=True)


if __name__ == "__main__":
    main()
