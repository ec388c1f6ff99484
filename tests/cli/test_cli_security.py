"""What may come from strangers, through every command that reads it: a test per claim."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from commands import SMALL

_FIT = ("fit", *SMALL, "--trainer.max_epochs=7", "--observers=false")
_READERS = {
    "info": ("info", "evil.ckpt"),
    "export": ("export", "evil.ckpt", "-o", "m.safetensors"),
    "test": ("test", *SMALL, "--ckpt_path=evil.ckpt"),
    "validate": ("validate", *SMALL, "--ckpt_path=evil.ckpt"),
    "predict": ("predict", *SMALL, "--ckpt_path=evil.ckpt"),
    "fit": (*_FIT, "--ckpt_path=evil.ckpt", "--run_dir=run"),
    "teacher": (*_FIT, "--model.teacher_ckpt=evil.ckpt", "--run_dir=run"),
}
_YAML = {
    "fit": ("fit", *SMALL, "-c", "evil.yaml"),
    "predict": ("predict", *SMALL, "-c", "evil.yaml"),
    "seeds": ("seeds", *SMALL, "-c", "evil.yaml"),
    "study": ("study", "evil.yaml"),
    "data": ("data", "check", "-c", "evil.yaml"),
}


class _Runs:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


def _crafted(trained: Path, **parts) -> None:
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save(content | parts, "evil.ckpt")


@pytest.mark.parametrize("command", _READERS)
def test_a_checkpoint_runs_nothing(qgnn, trained, command):
    _crafted(trained, callbacks=_Runs())
    outcome = qgnn(*_READERS[command])
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "is not a checkpoint of this program" in outcome.err
    assert not Path("executed").exists()


@pytest.mark.parametrize("command", _YAML)
def test_yaml_runs_nothing(qgnn, command):
    Path("evil.yaml").write_text("base: !!python/object/apply:os.mkdir [executed]\n")
    outcome = qgnn(*_YAML[command])
    assert outcome.code in (1, 2)
    assert outcome.err.count("\n") == 1
    assert not Path("executed").exists()


def test_a_checkpoint_names_no_file(qgnn, trained):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    named = content["hyper_parameters"] | {"teacher_ckpt": "/etc/passwd"}
    data = content["qgnn_data_arguments"] | {"root": "/etc", "cache_dir": "/etc"}
    _crafted(trained, hyper_parameters=named, qgnn_data_arguments=data)
    outcome = qgnn(*_READERS["fit"])
    assert outcome.code == 2
    assert "name its checkpoint with --model.teacher_ckpt" in outcome.err
    outcome = qgnn("test", "--ckpt_path=evil.ckpt")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_features", 10**12), ("num_steps", 10**12), ("num_features", 10**9)],
)
def test_a_checkpoint_takes_no_more_memory_than_its_file(qgnn, trained, name, value):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    _crafted(trained, hyper_parameters=content["hyper_parameters"] | {name: value})
    for command in ("info", "test"):
        outcome = qgnn(*_READERS[command][:1], *_READERS[command][-1:])
        assert outcome.code == 2
        assert "arguments" in outcome.err


def test_progress_that_would_never_end_is_refused(qgnn, trained):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] = -(10**12)
    _crafted(trained, loops=content["loops"])
    outcome = qgnn(*_READERS["fit"])
    assert outcome.code == 2
    assert "does not say how far its training had come" in outcome.err


def test_a_damaged_training_state_matters_to_a_training_alone(qgnn, trained):
    _crafted(trained, loops=torch.zeros(3), callbacks=[1], optimizer_states="x" * 99)
    for command in ("test", "validate", "predict"):
        outcome = qgnn(*_READERS[command])
        assert (outcome.code, outcome.err) == (0, "")
    assert qgnn(*_READERS["fit"]).code == 2


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("callbacks", {"RandomState": {"python": [1, 2]}}, "random generators is damaged"),
        ("optimizer_states", [{"state": {}}], "is damaged, or comes from another version"),
        ("GraphDataModule", {"num_nodes": torch.zeros(2)}, "number of nodes in the checkpoint"),
    ],
)
def test_what_cannot_be_continued_is_said_in_our_words(qgnn, trained, part, value, words):
    _crafted(trained, **{part: value})
    outcome = qgnn(*_READERS["fit"])
    assert outcome.code == 1
    assert outcome.err.startswith("qgnn fit: error: --ckpt_path evil.ckpt cannot be continued: ")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("state", [{0: torch.zeros(3)}, {0: {}, 1: [1]}, [torch.zeros(2)], "ab"])
def test_an_optimizer_without_tables_is_refused(qgnn, trained, state):
    _crafted(trained, optimizer_states=[{"state": state, "param_groups": []}])
    outcome = qgnn(*_READERS["fit"])
    assert outcome.code == 2
    assert "evil.ckpt holds a damaged state of its optimizer" in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_older_version_of_lightning_wrote_no_checkpoint_of_ours(qgnn, trained):
    _crafted(trained, **{"pytorch-lightning_version": "1.5.0"})
    assert "is not a checkpoint of this program" in qgnn(*_READERS["test"]).err


def test_a_network_without_inputs_is_refused_in_a_line(qgnn, trained):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    _crafted(trained, hyper_parameters=content["hyper_parameters"] | {"hidden_features": 0})
    outcome = qgnn(*_READERS["test"])
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["num_nodes", "num_edges", "num_features"])
def test_a_checkpoint_does_not_choose_to_draw_a_large_graph(qgnn, trained, name):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    sizes = {"source": "block_model", "num_nodes": 60, "num_edges": 150, "num_features": 8}
    data = content["qgnn_data_arguments"] | sizes | {name: 10**9}
    _crafted(trained, qgnn_data_arguments=data)
    outcome = qgnn("test", "--ckpt_path=evil.ckpt")
    assert outcome.code == 2
    assert f"to draw one so large, add --data.num_nodes {data['num_nodes']} " in outcome.err


def test_an_epoch_without_end_is_refused(qgnn, trained):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    _crafted(
        trained, qgnn_data_arguments=content["qgnn_data_arguments"] | {"steps_per_epoch": 2**31}
    )
    outcome = qgnn("test", "--ckpt_path=evil.ckpt")
    assert outcome.code == 2
    assert "steps_per_epoch must be from 1 to 10,000" in outcome.err


@pytest.mark.parametrize("seconds", ["long", torch.zeros(3), float("nan"), -1.0])
def test_a_time_that_is_none_is_refused_before_the_training(qgnn, trained, seconds):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    timer = {"time_elapsed": {"train": seconds}}
    _crafted(trained, callbacks=content["callbacks"] | {"Timer": timer})
    outcome = qgnn(*_READERS["fit"])
    assert outcome.code == 2
    assert "does not say how long its training took" in outcome.err
