"""What the tests of studies share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from qgnn_lightning.study import (
    ResultFile,
    Study,
    WorkerPool,
    check_data,
    check_options,
    execute,
)

#: A worker that trains nothing: its accuracies are the option ``model.dropout`` and a tenth of
#: the seed. It fails where ``model.bits`` is 'bad', refuses 'unknown', and dies of 'fatal'; of
#: graphs it notes which it read, refuses 'none', and finds 'wrong' not valid.
FAKE_WORKER = """
import json, os, sys, time, yaml
for line in sys.stdin:
    request = json.loads(line)
    words = request["arguments"]
    options = yaml.safe_load(open(words[words.index("-c") + 1])) or {}
    model, log, code = options.get("model", {}), open(request["log"], "w"), 0
    if request["command"] == "check_options":
        if model.get("bits") == "unknown":
            code = 2
            log.write("qgnn fit: error: unknown option --model.bits\\n")
    elif request["command"] == "check_data":
        root = options.get("data", {}).get("root")
        if root is not None:
            with open("read.txt", "a") as file:
                file.write(root + "\\n")
        if root in ("none", "wrong"):
            code = 2 if root == "none" else 1
            log.write(f"qgnn fit: error: --data.root {root}\\n")
    elif model.get("bits") == "bad":
        code = 1
        log.write("starting\\nqgnn fit: error: the loss is nan\\n")
    elif model.get("bits") == "fatal":
        os.kill(os.getpid(), 9)
    else:
        if model.get("bits") == "slow":
            time.sleep(600)
        seed = int(words[words.index("--seed_everything") + 1])
        folder = words[words.index("--run_dir") + 1]
        accuracy = {"test": model["dropout"] + seed / 10, "val": model["dropout"]}
        diagnostics = {"energy": {"first": 0, "values": [5.0, 4.0, 3.0, 2.0, 1.0, 0.5]}}
        with open(os.path.join(folder, "results.json"), "w") as file:
            json.dump({
                "accuracy": accuracy, "seconds": {"fit": 1.5}, "messages": "direct", "seed": seed,
                "process": os.getpid(), "diagnostics": diagnostics, "versions": {"torch": "2"},
                "hardware": {"cpus": 2}, "config": {"model": {"num_steps": 3}},
            }, file)
    log.close()
    print(code, flush=True)
"""


def study(*bits: str, seeds: tuple[int, ...] = (0, 1), **base: Any) -> Study:
    """One axis with values of ``model.bits``."""
    axes = {"bits": {one: {"model.bits": one} for one in bits}}
    return Study("tiny", {"model.dropout": 0.25, **base}, axes, seeds)


def workers(jobs: int = 1) -> WorkerPool:
    return WorkerPool((sys.executable, "-c", FAKE_WORKER), jobs)


def make(results: ResultFile, jobs: int = 1, keep: Path | None = None) -> None:
    """Check and run what is missing, with the worker that only pretends."""
    with workers(jobs) as pool:
        check_options(results, pool)
        check_data(results, pool)
        execute(results, pool, keep)


def results_of(path: Path, of: Study) -> ResultFile:
    return ResultFile.open(path, of, "qgnn study tiny.yaml")


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
