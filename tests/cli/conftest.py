from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from commands import SMALL, Command, Outcome

from qgnn_lightning.cli import main
from qgnn_lightning.run import heeding_requeuing


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A finished run heeds no signal any more; this process does."""
    with heeding_requeuing():
        yield


@pytest.fixture
def qgnn(monkeypatch, capsys, tmp_path) -> Command:
    """Run the command line in an empty folder."""
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    monkeypatch.delenv("QGNN_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def fit(qgnn) -> Command:
    """Train on the small graph; 3 epochs, without observers, unless told otherwise.

    Each in a second of its own: TensorBoard reads files by the second in their names.
    """
    last = [0]

    def run(*arguments: str) -> Outcome:
        while int(time.time()) == last[0]:
            time.sleep(0.05)
        last[0] = int(time.time())
        return qgnn("fit", *SMALL, "--trainer.max_epochs=3", "--observers=false", *arguments)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Directory of a run that only reading tests share."""
    path = tmp_path_factory.mktemp("trained") / "run"
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, heeding_requeuing():
        patch.setattr(sys, "argv", ["qgnn"])
        options = ["--trainer.max_epochs=6", "--model.dropout=0.3", "--observers=false"]
        assert main(["fit", *SMALL, *options, f"--run_dir={path}"]) == 0
    return path
