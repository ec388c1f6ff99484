"""The completion script, asked by a real bash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from qgnn_lightning.cli._main import COMMANDS


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    import contextlib
    import io

    from qgnn_lightning.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["completion", "bash"]) == 0
    path = tmp_path_factory.mktemp("completion") / "qgnn.bash"
    path.write_text(out.getvalue())
    return path


def complete(script: Path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    listed = " ".join(f"'{word}'" for word in ("qgnn", *words))
    code = (
        f"source {script}; COMP_WORDS=({listed}); COMP_CWORD={len(words)}; _qgnn; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_commands(script):
    assert complete(script, "") == set(COMMANDS)
    assert complete(script, "pre") == {"predict"}


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["fit", "--model.b"], {"--model.bits", "--model.budget", "--model.budget_unit"}),
        (["fit", "--dry"], {"--dry_run"}),
        (["predict", "--pa"], {"--packed"}),
        (["predict", "--ck"], {"--ckpt_path"}),
        (["data", ""], {"check"}),
        (["bench", ""], {"propagate", "model"}),
        (["bench", "mo"], {"model"}),
        (["data", "--pl"], {"--plot"}),
        (["data", "check", "--he"], {"--help"}),
        (["data", "check", "--pl"], {"--plot"}),
        (["export", "--o"], {"--output"}),
        (["report", "--o"], {"--output"}),
        (["seeds", "--sp"], {"--splits"}),
        (["study", "--jo"], {"--jobs"}),
        (["seeds", "--model.bu"], {"--model.budget", "--model.budget_unit"}),
        (["bench", "propagate", "--thr"], {"--threads"}),
        (["completion", ""], {"bash", "zsh"}),
    ],
)
def test_options(script, words, some):
    assert complete(script, *words) == some


def test_choices(script):
    assert complete(script, "fit", "--model.bits", "int2") == {"int2", "int2-paper"}
    assert complete(script, "fit", "--model.bits", "=", "fl") == {"float32"}
    assert complete(script, "fit", "--data.split", "=") == {"public", "random"}
    assert complete(script, "bench", "model", "--messages", "dir") == {"direct"}


def test_zsh_takes_the_same_script(qgnn, script):
    outcome = qgnn("completion", "zsh")
    assert outcome.code == 0
    first, rest = outcome.out.split("\n", 1)
    assert first == "autoload -U +X bashcompinit && bashcompinit"
    assert rest == script.read_text()


@pytest.mark.parametrize("arguments", [[], ["fish"], ["bash", "zsh"]])
def test_other_shells(qgnn, arguments):
    outcome = qgnn("completion", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "qgnn completion is followed by bash or zsh" in outcome.err
