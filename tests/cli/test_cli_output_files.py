"""Where a file cannot be written, every command says so before it starts, and in the same words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import SMALL

#: By the option as errors call it: a command, and what the file must end in.
_COMMANDS = {
    "-o/--output of report": (["report", "RUN"], ".html"),
    "-o/--output of export": (["export", "CKPT"], ".safetensors"),
    "-o/--output of predict": (["predict", "--ckpt_path=CKPT"], ".csv"),
    "--export of fit": (["fit", *SMALL, "--run_dir=new"], ".safetensors"),
    "--export of a dry run": (["fit", *SMALL, "--dry_run"], ".safetensors"),
    "--plot of data check": (["data", "check", *SMALL[:-3]], ".png"),
    "--plot of bench": (["bench", "propagate", "--num_nodes=10"], ".png"),
    "--json of bench": (["bench", "propagate", "--num_nodes=10"], ".json"),
}


@pytest.mark.parametrize("case", _COMMANDS)
def test_a_file_that_cannot_be_written_is_refused_at_once(qgnn, trained, monkeypatch, case):
    command, suffix = _COMMANDS[case]
    option = case.partition(" of ")[0]
    Path("locked").mkdir()
    Path(f"folder{suffix}").mkdir()
    asked = os.access
    locked = Path("locked")
    monkeypatch.setattr(os, "access", lambda path, mode: asked(path, mode) and Path(path) != locked)
    expected = {
        f"none/a{suffix}": f"{option}: there is no folder none",
        f"locked/a{suffix}": f"{option}: the folder locked cannot be written to",
        f"folder{suffix}": f"{option} must be a file, folder{suffix} is a folder",
    }
    places = {"RUN": str(trained), "CKPT": str(trained / "checkpoints" / "best.ckpt")}
    for place, path in places.items():
        command = [word.replace(place, path) for word in command]
    before = {*Path().rglob("*")}
    for path, message in expected.items():
        outcome = qgnn(*command, option.rpartition("/")[2], path)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome
        assert outcome.err.endswith(f"error: {message}\n")
        assert {*Path().rglob("*")} == before


@pytest.mark.parametrize("options", [["-o", "a.csv"], ["-o=a.csv"], ["--output", "a.csv"]])
def test_predictions_take_the_short_option_of_the_other_commands(qgnn, trained, options):
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    assert qgnn("export", checkpoint, "-o", "net.safetensors").code == 0
    data = ["-c", str(trained / "config.yaml")]
    for network in (["--ckpt_path", checkpoint], ["--packed", "net.safetensors", *data]):
        outcome = qgnn("predict", *network, *options)
        assert outcome.code == 0, outcome.err
        assert outcome.out == "60 predictions in a.csv\n"
        Path("a.csv").unlink()
