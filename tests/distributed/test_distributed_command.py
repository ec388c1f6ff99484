"""``qgnn fit`` in two processes: one run, one voice, one clear error where a process is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from two_processes import environment, fit, free_port, start

_WAIT = 300


def _finish(process: subprocess.Popen[str], timeout: float = _WAIT) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def _epoch(run: Path) -> int:
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return int(checkpoint["epoch"])


def test_one_run_with_one_voice(tmp_path):
    options = fit("--trainer.max_epochs=3", "--run_dir=run", "--data.cache_dir=cache")
    code, out, err = _finish(start(tmp_path, *options))
    assert code == 0, err
    assert err == ""
    assert out.count("run directory") == out.count("test accuracy") == 1
    run = tmp_path / "run"
    results = json.loads((run / "results.json").read_text())
    processes = {path.name.split(".")[-2] for path in run.glob("events.out*")}
    assert len(processes) == 1
    # The checkpoint of two processes, evaluated by one.
    best = f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}"
    code, out, err = _finish(start(tmp_path, "test", best, "--data.cache_dir=cache"))
    assert code == 0, err
    assert f"{100 * results['accuracy']['test']:.1f} %" in out


def _child(parent: int) -> int:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and "qgnn_lightning.cli" in command:
            return int(path.parent.name)
    raise AssertionError(f"process {parent} has no second process")


@pytest.mark.parametrize("lost", ["first", "second"])
def test_a_lost_process_ends_the_other_and_the_run_goes_on(tmp_path, lost):
    run = tmp_path / "run"
    options = fit("--trainer.max_epochs=100000", "--run_dir=run", "--observers=false")
    process = start(tmp_path, *options)
    deadline = time.monotonic() + _WAIT
    while not (run / "checkpoints" / "last.ckpt").is_file():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = _child(process.pid)
    os.kill(process.pid if lost == "first" else child, signal.SIGKILL)
    killed = time.monotonic()
    _, _, err = _finish(process, 60)  # the pipe is open as long as either process lives
    assert time.monotonic() - killed < 60
    assert "error: another process of this run has ended; go on with: qgnn fit -c " in err
    if lost == "second":
        assert process.returncode == 1
    epoch = _epoch(run)
    again = ["--ckpt_path=run/checkpoints/last.ckpt", f"--trainer.max_epochs={epoch + 3}"]
    code, out, err = _finish(start(tmp_path, "fit", "-c", "run/config.yaml", *again))
    assert code == 0, err
    assert f"of {epoch + 3}, the best on the validation nodes" in out
    assert _epoch(run) == epoch + 2


def test_torchrun(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += [f"--master_port={free_port()}", "-m", "qgnn_lightning.cli"]
    options = fit("--trainer.max_epochs=2", "--observers=false")

    def run(*extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *options, *extra],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=_WAIT,
        )

    result = run("--run_dir=run")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("test accuracy") == 1
    assert (tmp_path / "run" / "results.json").is_file()
    result = run()
    assert result.returncode != 0
    assert "--run_dir is needed where torchrun or srun starts the processes" in result.stderr


@pytest.mark.parametrize("stopped", [False, True])
def test_processes_take_leave(tmp_path, stopped):
    """Ended while connected, one in thirty is aborted, which one run does not show."""
    stop = "os.kill(os.getpid(), signal.SIGTERM)" if stopped else "None"
    script = f"""
import os, signal, sys, torch
from qgnn_lightning.cli._main import main
from qgnn_lightning.lightning_module import NodeClassifier

def connected(self):
    assert torch.distributed.is_initialized()
    {stop}

NodeClassifier.on_train_epoch_start = connected
code = main(sys.argv[1:])
assert not torch.distributed.is_initialized()
sys.exit(code)
"""
    options = fit("--trainer.devices=1", "--trainer.strategy=ddp", "--trainer.max_epochs=1")
    result = subprocess.run(
        [sys.executable, "-c", script, *options],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_WAIT,
    )
    assert result.returncode == (128 + signal.SIGTERM if stopped else 0), result.stderr


def test_a_full_graph_and_uneven_parts_are_refused(tmp_path):
    full = [option for option in fit() if not option.startswith("--data.batching")]
    code, _, err = _finish(start(tmp_path, *full))
    assert code == 2
    assert "Set --data.batching to partitions" in err
    assert "other seeds" in err
    code, _, err = _finish(start(tmp_path, *fit("--data.num_partitions=9")))
    assert code == 2
    assert "num_partitions must be a multiple of the 2 devices, got 9" in err
    assert list(tmp_path.rglob("*.ckpt")) == []
