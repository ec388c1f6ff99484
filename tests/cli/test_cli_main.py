"""What is answered without importing torch, and the exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qgnn_lightning import __version__

_WITHOUT_TORCH = """
import sys
from qgnn_lightning.cli import main
code = main(sys.argv[1:])
assert not {"torch", "lightning", "numpy"} & set(sys.modules), "imported too much"
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("argument", "code"), [("--help", 0), ("--version", 0), ("fti", 2), ("--verison", 2)]
)
def test_torch_is_not_imported_for_what_does_not_need_it(argument, code):
    command = [sys.executable, "-W", "error", "-c", _WITHOUT_TORCH, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    assert (done.stderr == "") == (code == 0)


def test_help_names_every_command(qgnn):
    outcome = qgnn("--help")
    assert outcome.code == 0
    for command in ("fit", "validate", "test", "predict", "--version", "--debug"):
        assert command in outcome.out


def test_version(qgnn):
    assert qgnn("--version") == (0, f"qgnn-lightning {__version__}\n", "")


def test_help_of_a_command_lists_its_options(qgnn):
    outcome = qgnn("predict", "--help")
    assert outcome.code == 0
    for option in ("--model.bits", "--data.source", "--ckpt_path", "--output", "--seed_everything"):
        assert option in outcome.out
    assert "--run_dir" not in outcome.out
    assert "--optimizer" not in outcome.out


def test_debug_shows_where_an_error_comes_from(qgnn, monkeypatch):
    arguments = ("fit", "--model.num_steps", "0")
    assert "Traceback" not in qgnn(*arguments).err
    assert "Traceback" in qgnn(*arguments, "--debug").err
    monkeypatch.setenv("QGNN_DEBUG", "1")
    assert "Traceback" in qgnn(*arguments).err


def test_a_reader_that_leaves_gets_no_complaint():
    command = [sys.executable, "-m", "qgnn_lightning.cli", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize("module", ["qgnn_lightning", "qgnn_lightning.cli"])
def test_the_package_runs_as_the_command_does(module):
    command = [sys.executable, "-W", "error", "-m", module]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"qgnn-lightning {__version__}\n"), done.stderr
    wrong = subprocess.run([*command, "fti"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
