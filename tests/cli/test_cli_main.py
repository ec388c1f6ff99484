"""What is answered without importing torch, and the exit codes."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from qgnn_lightning import __version__
from qgnn_lightning.cli._help import _USED, _USED_OF_TRAINED
from qgnn_lightning.cli._loading import loading

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
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert not any(re.search(r"\S {3,}--", line) for line in lines)  # no line in two
    told = lines[lines.index("commands:") + 1 : lines.index("options:") - 1]
    assert {re.match(r"  \w+ +", line).end() for line in told} == {15}
    assert not any(re.search(r"\S {4,}", line) for line in lines[lines.index("examples:") :])


def test_version(qgnn):
    assert qgnn("--version") == (0, f"qgnn-lightning {__version__}\n", "")


def test_help_of_a_command_lists_its_options(qgnn):
    outcome = qgnn("predict", "--help")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[2:4] == ["network:", "  --ckpt_path"]
    for name in (name for names in _USED_OF_TRAINED.values() for name in names):
        assert name in outcome.out
    for option in ("--model.", "--seed_everything", "--run_dir", "--optimizer"):
        assert option not in outcome.out
    assert "qgnn predict --help all" in outcome.out
    assert "--output" not in qgnn("test", "--help").out


def test_help_of_fit_is_short_and_says_where_the_rest_is(qgnn):
    outcome = qgnn("fit", "--model.bits=int4", "--help")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) < 90
    assert max(map(len, outcome.out.splitlines())) <= 100
    for name in (name for names in _USED.values() for name in names):
        assert name in outcome.out
    assert (
        "Preset of the bits per stage: float32, int8, int4, int2 or int2-paper (default: int2)"
        in (outcome.out)
    )
    assert "qgnn fit --help all" in outcome.out
    every = qgnn("fit", "--help", "all").out
    assert len(every.splitlines()) > 500
    assert "``" not in every
    parts = {topic: qgnn("fit", "--help", topic).out for topic in ("data", "model", "trainer")}
    parts["observers"] = qgnn("fit", "-h", "observers", "--quiet").out
    found = {topic: set(re.findall(r"^  (--[\w.]+)", text, re.M)) for topic, text in parts.items()}
    for topic in ("data", "model", "trainer"):
        assert all(name.startswith(f"--{topic}.") for name in found[topic])
    assert {"--observers", "--histograms.every_n_epochs"} <= found["observers"]
    # What a part lists, and what the short help lists of the run, is every option there is.
    everything = set(re.findall(r"^  (--[\w.]+)", every, re.M))
    run = {name for name in everything if "." not in name} - set(found)
    missing = everything - set().union(*found.values()) - run
    assert missing == set()


def test_unknown_topics_of_help(qgnn):
    outcome = qgnn("fit", "--help", "modle")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "--help is followed by all, data, model, trainer, observers or nothing, got 'modle'" in (
        outcome.err
    )


def test_loading_is_said_to_people_only(monkeypatch, capsys):
    for terminal, quiet, said in ((True, False, True), (True, True, False), (False, False, False)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with loading(quiet):
            before = capsys.readouterr().err
        assert before == ("loading torch and lightning ..." if said else "")
        assert capsys.readouterr().err == ("\r\x1b[K" if said else "")


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
