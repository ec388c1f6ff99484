"""A run that was broken off anywhere goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qgnn_lightning.cli._run_place import experiment_folder
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import RunDirectory, read_checkpoint

OPTIONS = ("--observers=true", "--oversmoothing.every_n_epochs=2", "--model.dropout=0.5")


def scalars(run: str) -> dict[str, list[tuple[int, float]]]:
    # All that is there, whichever file of one second is read first.
    options = {"size_guidance": {"scalars": 0}, "purge_orphaned_data": False}
    events = EventAccumulator(run, **options).Reload()
    return {
        tag: sorted((one.step, one.value) for one in events.Scalars(tag))
        for tag in events.Tags()["scalars"]
        if not tag.startswith("hp/")
    }


def weights(run: str) -> dict[str, torch.Tensor]:
    path = Path(run) / "checkpoints" / "last.ckpt"
    return torch.load(path, weights_only=True)["state_dict"]


def test_what_was_logged_after_the_checkpoint_is_not_there_twice(fit):
    assert fit(*OPTIONS, "--trainer.max_epochs=6", "--run_dir=straight").code == 0
    assert fit(*OPTIONS, "--trainer.max_epochs=3", "--run_dir=short").code == 0
    assert fit(*OPTIONS, "--trainer.max_epochs=5", "--run_dir=broken").code == 0
    # As after a kill: five epochs are logged, the last checkpoint is that of the third.
    for name in ("last.ckpt", "best.ckpt"):
        shutil.copy(f"short/checkpoints/{name}", f"broken/checkpoints/{name}")
    with Path("broken/diagnostics.jsonl").open("a") as file:
        file.write('{"step": 1, "tag": "half a li')
    event_file = sorted(Path("broken").glob("events*"))[0]
    event_file.write_bytes(event_file.read_bytes()[:-3])
    resumed = fit(*OPTIONS, "--trainer.max_epochs=6", "--run_dir=broken", "--resume=auto")
    assert resumed.code == 0, resumed.err
    one, other = weights("straight"), weights("broken")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert scalars("straight") == scalars("broken")
    lines = [Path(run, "diagnostics.jsonl").read_text() for run in ("straight", "broken")]
    assert lines[0] == lines[1]
    results = [json.loads(Path(run, "results.json").read_text()) for run in ("straight", "broken")]
    assert results[0]["accuracy"] == results[1]["accuracy"]
    assert results[0]["best_epoch"] == results[1]["best_epoch"]


def test_the_best_checkpoint_is_read_once_and_refused_before_anything_changes(fit, monkeypatch):
    assert fit("--run_dir=run").code == 0
    read = []
    monkeypatch.setattr(
        "qgnn_lightning.run._checkpoints.read_checkpoint",
        lambda path: read.append(path.name) or read_checkpoint(path),
    )
    assert fit("--run_dir=run", "--resume=auto", "--trainer.max_epochs=4").code == 0
    assert read == ["best.ckpt"]
    best = Path("run/checkpoints/best.ckpt")
    best.write_bytes(best.read_bytes()[:-9])
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    outcome = fit("--run_dir=run", "--resume=auto", "--trainer.max_epochs=5")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "best.ckpt is cut off or damaged: remove it to go on" in outcome.err
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_without_a_checkpoint_it_starts(fit):
    assert fit("--run_dir=run", "--resume=auto").code == 0
    first = weights("run")
    Path("run/checkpoints/last.ckpt").unlink()
    again = fit("--run_dir=run", "--resume=auto")
    assert again.code == 0, again.err
    second = weights("run")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(len(values) == 3 for tag, values in scalars("run").items() if tag == "val/loss")


def test_the_time_of_the_sessions_before_counts(fit):
    assert fit("--run_dir=run", "--trainer.max_epochs=2").code == 0
    last = Path("run/checkpoints/last.ckpt")
    checkpoint = torch.load(last, weights_only=True)
    assert 0 < checkpoint["callbacks"]["Timer"]["time_elapsed"]["train"] < 60
    checkpoint["callbacks"]["Timer"]["time_elapsed"]["train"] = 1000.0
    torch.save(checkpoint, last)
    assert fit("--run_dir=run", "--resume=auto").code == 0
    seconds = json.loads(Path("run/results.json").read_text())["seconds"]
    assert 1000 < seconds["fit"] < seconds["total"] < 1060


def test_what_comes_before_the_first_epoch_is_not_time_of_training(fit, monkeypatch):
    """Neither where a run starts nor where it goes on."""
    start = NodeClassifier.configure_model

    def slow(self):
        time.sleep(2)
        start(self)

    monkeypatch.setattr(NodeClassifier, "configure_model", slow)
    for epochs in (1, 2):
        options = ("--run_dir=run", f"--trainer.max_epochs={epochs}", "--resume=auto")
        assert fit(*options).code == 0
        seconds = json.loads(Path("run/results.json").read_text())["seconds"]
        assert 0 < seconds["fit"] < 2 < seconds["total"]


def test_a_finished_run_stays_as_it_is(fit):
    assert fit("--run_dir=run").code == 0
    first = json.loads(Path("run/results.json").read_text())
    before = scalars("run"), first["accuracy"]
    again = fit("--run_dir=run", "--resume=auto")
    assert again.code == 0, again.err
    said = again.out.splitlines()
    assert said[:2] == [
        "run directory  run",
        "nothing to do  all 3 epochs are done, only the test is repeated: a larger "
        "--trainer.max_epochs trains on",
    ]
    assert "results        run/results.json" in said
    assert "curves         tensorboard --logdir run" in said
    second = json.loads(Path("run/results.json").read_text())
    assert before == (scalars("run"), second["accuracy"])
    assert second["seconds"]["fit"] == pytest.approx(first["seconds"]["fit"], abs=0.5)
    longer = fit("--run_dir=run", "--resume=auto", "--trainer.max_epochs=4").out.splitlines()
    assert longer[:2] == ["run directory  run", "going on       after optimizer step 3"]


def test_what_contradicts_is_refused(fit):
    outcome = fit("--resume=auto")
    assert outcome.code == 2
    assert "--resume auto needs --run_dir" in outcome.err
    outcome = fit("--resume=auto", "--run_dir=run", "--ckpt_path=a.ckpt")
    assert outcome.code == 2
    assert "leave out --ckpt_path" in outcome.err


def test_fewer_epochs_than_are_done_are_refused_and_the_run_keeps_everything(fit):
    assert fit("--run_dir=run").code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    last = "run/checkpoints/last.ckpt"
    options = {
        f"checkpoint {last}": ["--resume=auto", "--run_dir=run"],
        f"--ckpt_path {last}": [f"--ckpt_path={last}"],
    }
    for name, typed in options.items():
        outcome = fit("--trainer.max_epochs=2", *typed)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err == (
            f"qgnn fit: error: --trainer.max_epochs is 2, but {name} has 3 epochs behind it: "
            "--trainer.max_epochs 3 repeats its test, a larger number trains on\n"
        )
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before
    assert fit("--trainer.max_epochs=3", "--resume=auto", "--run_dir=run").code == 0
    assert fit("--trainer.max_epochs=-1", "--trainer.max_steps=4", "--resume=auto",
               "--run_dir=run").code == 0  # fmt: skip


def test_a_directory_of_another_graph_or_network_is_refused(fit):
    assert fit("--run_dir=run").code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    # With a checkpoint, and as after a run that ended before its first one.
    for kept in (True, False):
        other = fit("--run_dir=run", "--resume=auto", "--data.source=power_law")
        assert (other.code, other.out) == (2, "")
        assert other.err == (
            "qgnn fit: error: --run_dir run was started with the data block_model, got power_law: "
            "name another --run_dir, or remove this one to start anew\n"
        )
        other = fit("--run_dir=run", "--resume=auto", "--model.hidden_features=5")
        assert (other.code, other.out, other.err.count("\n")) == (2, "", 1)
        assert re.search(r"--model.hidden_features is 5, but .* with 8: ", other.err)
        found = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
        assert found == before
        if kept:
            for name in ("last", "best"):
                Path(f"run/checkpoints/{name}.ckpt").unlink()
                del before[Path(f"run/checkpoints/{name}.ckpt")]
    # What a network may learn differently with may change.
    again = fit("--run_dir=run", "--resume=auto", "--model.learning_rate=0.02")
    assert again.code == 0, again.err


def test_one_training_at_a_time_is_in_a_directory(fit):
    assert fit("--run_dir=run").code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    Path("new/checkpoints").mkdir(parents=True)
    with RunDirectory(Path("new")).held():
        assert fit("--run_dir=new").code == 2
    assert Path("new/checkpoints").is_dir()
    with RunDirectory(Path("run")).held():
        other = fit("--run_dir=run", "--resume=auto", "--trainer.max_epochs=9")
    assert (other.code, other.out) == (2, "")
    assert other.err == (
        "qgnn fit: error: run is in use by a training that has not ended: "
        "name another --run_dir, or wait for it\n"
    )
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert fit("--run_dir=run", "--resume=auto", "--trainer.max_epochs=9").code == 0


def test_learning_rates_and_the_penalty_may_change_on_the_way(fit):
    decay = ("--model.lr_decay=0.5", "--model.lr_decay_every=2", "--model.quantizer=learned_range")
    assert fit(*decay, "--run_dir=run", "--trainer.max_epochs=3").code == 0
    rates = ("--model.learning_rate=0.08", "--model.range_learning_rate=0.04")
    changed = (*rates, "--model.weight_decay=0.25")
    again = fit(*decay, *changed, "--run_dir=run", "--resume=auto", "--trainer.max_epochs=5")
    assert again.code == 0, again.err
    stored = read_checkpoint(Path("run/checkpoints/last.ckpt"))
    weights, ranges = stored["optimizer_states"][0]["param_groups"]
    # Five epochs are over, two of them at the ends of two.
    assert (weights["lr"], ranges["lr"]) == pytest.approx((0.08 / 4, 0.04 / 4))
    assert (weights["initial_lr"], ranges["initial_lr"]) == (0.08, 0.04)
    assert (weights["weight_decay"], ranges["weight_decay"]) == (0.25, 0)
    assert stored["lr_schedulers"][0]["base_lrs"] == [0.08, 0.04]
    other = fit("--model.lr_decay=0.1", "--run_dir=run", "--resume=auto")
    assert (other.code, other.out) == (2, "")
    assert "--model.lr_decay is 0.1, but the checkpoint was trained with 0.5, which" in other.err


def test_a_run_goes_on_with_its_seed(fit):
    assert fit("--run_dir=run", "--seed_everything=3").code == 0
    last = "--ckpt_path=run/checkpoints/last.ckpt"
    other = fit(last, "--seed_everything=5", "--run_dir=there", "--trainer.max_epochs=9")
    assert (other.code, other.out) == (2, "")
    assert "--seed_everything is 5, but --ckpt_path " in other.err
    assert " is of a run that was started with 3: leave the option away, " in other.err
    assert not Path("there").exists()
    assert fit(last, "--run_dir=there", "--trainer.max_epochs=9").code == 0
    assert json.loads(Path("there/results.json").read_text())["seed"] == 3


def test_a_run_that_went_on_has_the_options_of_one_that_did_not_stop(fit):
    assert fit("--run_dir=straight", "--trainer.max_epochs=4").code == 0
    assert fit("--run_dir=broken", "--trainer.max_epochs=2").code == 0
    assert fit("--run_dir=broken", "--resume=auto", "--trainer.max_epochs=4").code == 0
    one, other = (Path(run, "config.yaml").read_text() for run in ("straight", "broken"))
    assert one == other


def test_a_checkpoint_that_is_named_goes_on_with_the_data_of_its_run_only(fit):
    assert fit("--run_dir=run").code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    last = "run/checkpoints/last.ckpt"
    options = ("--trainer.max_epochs=4", f"--ckpt_path={last}")
    for place in ((), ("--run_dir=there",)):
        outcome = fit(*options, "--data.source=power_law", *place)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err == (
            f"qgnn fit: error: --ckpt_path {last} is of a run that was started with the data "
            "block_model, got power_law: leave --ckpt_path out to train anew\n"
        )
    found = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert found == before
    assert not Path("there").exists()
    Path("run").rename("moved")
    again = fit(options[0], "--ckpt_path=moved/checkpoints/last.ckpt")
    assert again.code == 0, again.err


def test_a_directory_without_a_checkpoint_is_not_told_to_be_continued_from_one(fit):
    assert fit("--run_dir=run").code == 0
    Path("run/checkpoints/last.ckpt").unlink()
    outcome = fit("--run_dir=run")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "qgnn fit: error: --run_dir run holds a run already, which ended before its first "
        "checkpoint: name another directory, or start that run again by the same command and "
        "--resume auto\n"
    )


def test_a_command_that_resumes_is_not_told_to(fit, monkeypatch):
    step = NodeClassifier.validation_step

    def validation_step(self, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGINT)
        step(self, batch, batch_idx)

    monkeypatch.setattr(NodeClassifier, "validation_step", validation_step)
    outcome = fit("--run_dir=run", "--resume=auto")
    assert outcome.code == 130
    assert outcome.err.startswith("qgnn fit: stopped by SIGINT after epoch 1 of 3; go on with: ")
    assert outcome.err.endswith("last.ckpt, or with the same command\n")


@pytest.mark.parametrize(
    ("data", "folder"),
    [
        ({"source": "planetoid", "name": "Cora", "root": "a/b"}, "cora_int2"),
        ({"source": "ogb", "name": "ogbn-arxiv", "root": None}, "ogbn_arxiv_int2"),
        ({"source": "digits", "name": None, "root": None}, "digits_int2"),
        ({"source": "files", "name": None, "root": "some/My graph.v2/"}, "files_my_graph_v2_int2"),
        ({"source": "npz", "name": None, "root": "some/graph.npz"}, "npz_graph_int2"),
        ({"source": "npy", "name": None, "root": "."}, "npy_here_int2"),
    ],
)
def test_runs_of_each_graph_have_a_folder(tmp_path, monkeypatch, data, folder):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = {"architecture": "decoupled", "bits": "int2"}
    options = {"data": data, "model": model, "trainer": {"default_root_dir": None}}
    assert experiment_folder(options) == Path("runs", folder)
