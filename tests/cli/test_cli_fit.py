"""A run from its command to its files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from commands import SMALL, assert_same_weights, load
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qgnn_lightning.cli._application import Application
from qgnn_lightning.cli._worker import _COMMANDS
from qgnn_lightning.lightning_module import NodeClassifier

pytestmark = pytest.mark.filterwarnings("error")


def _scalars(path) -> dict[str, dict[int, float]]:
    events = EventAccumulator(str(path), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


def test_a_run_leaves_its_files_and_says_where(fit, tmp_path):
    outcome = fit("--observers=true")
    run = tmp_path / "runs" / "block_model_int2" / "version_0"
    assert outcome.code == 0
    assert outcome.err == ""
    assert "tensorboard --logdir runs/block_model_int2" in outcome.out
    assert "test accuracy" in outcome.out
    assert f"qgnn report {run.relative_to(tmp_path)}" in outcome.out
    assert len(outcome.out.splitlines()) <= 11
    assert (
        f"pack           qgnn export {run.relative_to(tmp_path)}/checkpoints/best.ckpt"
        in outcome.out
    )
    written = ("config.yaml", "results.json", "evaluation.json")
    for name in (*written, "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert (run / name).is_file(), name
    assert any(run.glob("events.*"))
    results = json.loads((run / "results.json").read_text())
    best = results["best_epoch"] + 1  # files count from 0
    assert f" % after epoch {best} of 3, the best on the validation nodes\n" in outcome.out
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_results_hold_what_was_asked_and_found(trained):
    results = json.loads((trained / "results.json").read_text())
    scalars = _scalars(trained)
    best = load(trained / "checkpoints" / "best.ckpt")
    validation = list(scalars["val/accuracy"].values())
    assert results["epochs"] == len(validation) == 6
    assert results["best_epoch"] == best["epoch"] == validation.index(max(validation))
    assert results["accuracy"]["val"] == pytest.approx(max(validation))
    (kept,) = scalars["best/val_accuracy"].values()
    assert results["accuracy"]["val"] == pytest.approx(kept)
    (test,) = scalars["test/accuracy"].values()
    assert results["accuracy"]["test"] == pytest.approx(test)
    data = results["data"]
    assert (data["title"], data["num_nodes"], data["num_features"]) == ("block_model", 60, 8)
    assert (data["num_edges"], data["num_classes"], data["directed"]) == (150, 3, False)
    assert results["bits"]["message"] == 2
    assert results["messages"] == "delta_sigma"
    assert results["seed"] == results["config"]["seed_everything"] == 0
    assert results["config"]["model"]["dropout"] == 0.3
    assert 0 < results["size_bytes"]["packed"] < results["size_bytes"]["float32"]
    seconds = load(trained / "checkpoints" / "last.ckpt")["callbacks"]["Timer"]["time_elapsed"]
    assert results["seconds"]["fit"] == pytest.approx(seconds["train"], abs=0.1)
    assert 0 < results["seconds"]["fit"] < results["seconds"]["total"]
    assert {"python", "torch", "lightning", "qgnn-lightning"} <= results["versions"].keys()
    assert results["hardware"]["cpus"] >= 1


def test_a_second_run_gets_a_directory_of_its_own(fit, tmp_path):
    for number in range(2):
        assert fit("--trainer.max_epochs=1").code == 0
        path = tmp_path / "runs" / "block_model_int2" / f"version_{number}"
        assert (path / "results.json").is_file()


def test_a_named_directory_is_never_overwritten(fit, trained):
    assert fit("--run_dir=here").code == 0
    outcome = fit("--run_dir=here")
    assert outcome.code == 2
    assert "holds a run already" in outcome.err


def test_the_stored_configuration_repeats_the_run(qgnn, trained):
    again = qgnn("fit", "-c", str(trained / "config.yaml"), "--run_dir=again")
    assert again.code == 0, again.err
    for name in ("best", "last"):
        checkpoint = f"checkpoints/{name}.ckpt"
        assert_same_weights(trained / checkpoint, os.path.join("again", checkpoint))


def test_the_command_line_wins_over_files_and_later_files_over_earlier_ones(qgnn, tmp_path):
    (tmp_path / "a.yaml").write_text("model:\n  dropout: 0.1\n  smoothing: 4\n  num_steps: 5\n")
    (tmp_path / "b.yaml").write_text("model:\n  smoothing: 5\n  num_steps: 6\n")
    outcome = qgnn(
        "fit", *SMALL, "-c", "a.yaml", "--config=b.yaml", "--model.num_steps=2",
        "--trainer.max_epochs=1", "--seed_everything=3", "--run_dir=run",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    model = config["model"]
    assert (model["dropout"], model["smoothing"], model["num_steps"]) == (0.1, 5.0, 2)
    assert config["seed_everything"] == 3


def test_observers_and_progress_change_nothing_in_the_weights(fit):
    assert fit("--run_dir=with", "--observers=true").code == 0
    without = ("--trainer.enable_progress_bar=false", "--trainer.logger=false")
    assert fit("--run_dir=without", *without).code == 0
    assert os.path.exists("with/diagnostics.jsonl")
    assert not os.path.exists("without/diagnostics.jsonl")
    for name in ("best", "last"):
        assert_same_weights(f"with/checkpoints/{name}.ckpt", f"without/checkpoints/{name}.ckpt")


@pytest.mark.parametrize("steps_per_epoch", [1, 3])
def test_a_continued_run_is_the_same_bit_for_bit(fit, tmp_path, steps_per_epoch):
    options = [
        "--model.dropout=0.5", "--model.lr_decay=0.5", "--model.lr_decay_every=2",
        f"--data.steps_per_epoch={steps_per_epoch}",
    ]  # fmt: skip
    assert fit(*options, "--trainer.max_epochs=6", "--run_dir=straight").code == 0
    assert fit(*options, "--trainer.max_epochs=3", "--run_dir=parts").code == 0
    torch.rand(7)  # the generators are elsewhere now
    # The model's and the data's arguments come from the checkpoint.
    resumed = fit("--trainer.max_epochs=6", "--ckpt_path=parts/checkpoints/last.ckpt")
    assert resumed.code == 0, resumed.err
    for name in ("best", "last"):
        assert_same_weights(f"straight/checkpoints/{name}.ckpt", f"parts/checkpoints/{name}.ckpt")
    one, other = (load(tmp_path / run / "checkpoints/last.ckpt") for run in ("straight", "parts"))
    assert str(one["optimizer_states"]) == str(other["optimizer_states"])
    assert str(one["lr_schedulers"]) == str(other["lr_schedulers"])
    assert str(one["callbacks"]["RandomState"]) == str(other["callbacks"]["RandomState"])
    straight, parts = _scalars("straight"), _scalars("parts")
    for tag in ("train/loss", "train/accuracy", "val/loss", "val/accuracy"):
        assert straight[tag] == parts[tag], tag
    first, second = (
        json.loads((tmp_path / run / "results.json").read_text()) for run in ("straight", "parts")
    )
    for key in ("accuracy", "best_epoch", "epochs"):
        assert first[key] == second[key]


def test_continuing_elsewhere_takes_the_best_epoch_along(fit, trained):
    last = trained / "checkpoints" / "last.ckpt"
    assert fit("--trainer.max_epochs=7", f"--ckpt_path={last}", "--run_dir=there").code == 0
    before = json.loads((trained / "results.json").read_text())
    after = json.loads(Path("there/results.json").read_text())
    assert after["epochs"] == 7
    assert after["accuracy"]["val"] >= before["accuracy"]["val"]


def test_what_was_typed_wins_over_the_checkpoint(fit, trained):
    last = trained / "checkpoints" / "last.ckpt"
    options = ("--trainer.max_epochs=7", f"--ckpt_path={last}", "--run_dir=there")
    assert fit(*options, "--model.dropout=0.05", "--model.learning_rate=0.5").code == 0
    stored = load("there/checkpoints/last.ckpt")
    assert stored["hyper_parameters"]["dropout"] == 0.05
    assert stored["hyper_parameters"]["num_features"] == 8
    # not typed: from the checkpoint
    assert stored["hyper_parameters"]["range_momentum"] == 0.1


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)]
)
def test_a_signal_saves_the_last_epoch_and_sets_the_exit_code(fit, qgnn, monkeypatch, number, code):
    step = NodeClassifier.validation_step

    def validation_step(self, batch, batch_idx):
        if self.current_epoch == 1:
            os.kill(os.getpid(), number)
        step(self, batch, batch_idx)

    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    with monkeypatch.context() as patch:
        patch.setattr(NodeClassifier, "validation_step", validation_step)
        outcome = fit("--run_dir=run", "--trainer.max_epochs=5", "--export=end.safetensors")
    assert outcome.code == code
    name = signal.Signals(number).name
    assert outcome.err == (
        f"qgnn fit: stopped by {name} after epoch 2 of 5; go on with: "
        "qgnn fit -c run/config.yaml --ckpt_path run/checkpoints/last.ckpt "
        "--export end.safetensors, or with the same command and --run_dir run --resume auto\n"
    )
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert load("run/checkpoints/last.ckpt")["global_step"] == 2
    assert not Path("run/results.json").exists()
    command = outcome.err.split("go on with: qgnn ")[1].split(", or with")[0]
    resumed = qgnn(*command.split())
    assert resumed.code == 0, resumed.err
    assert Path("end.safetensors").is_file()
    assert fit("--run_dir=straight", "--trainer.max_epochs=5").code == 0
    assert_same_weights("run/checkpoints/last.ckpt", "straight/checkpoints/last.ckpt")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_after_the_results_changes_nothing(fit, monkeypatch, number):
    say = Application._say

    def signalled(self, text):
        if text.startswith("results "):
            os.kill(os.getpid(), number)
        say(self, text)

    monkeypatch.setattr(Application, "_say", signalled)
    outcome = fit("--run_dir=run", "--trainer.max_epochs=1", "--export=end.safetensors")
    assert (outcome.code, outcome.err) == (0, "")
    assert Path("end.safetensors").is_file()
    # It holds to the end of the process, but not in one that goes on to another run.
    assert signal.getsignal(number) == signal.SIG_IGN
    signal.signal(number, signal.SIG_DFL)
    arguments = [*SMALL, "--run_dir=again", "--trainer.max_epochs=1"]
    assert _COMMANDS["fit"](arguments) == 0
    assert signal.getsignal(number) == signal.SIG_DFL


def test_fast_dev_run_leaves_nothing(fit, tmp_path):
    outcome = fit("--trainer.fast_dev_run=true")
    assert outcome.code == 0, outcome.err
    assert not any(tmp_path.iterdir())


def test_without_validation_nothing_is_tested(fit):
    outcome = fit("--trainer.limit_val_batches=0", "--run_dir=run")
    assert outcome.code == 0, outcome.err
    assert "nothing to test" in outcome.out
    assert os.path.exists("run/checkpoints/last.ckpt")


def test_a_student_learns_from_a_teacher(fit):
    assert fit("--run_dir=teacher", "--model.bits=float32").code == 0
    teacher = "--model.teacher_ckpt=teacher/checkpoints/best.ckpt"
    assert fit("--run_dir=student", teacher).code == 0
    assert fit("--run_dir=alone").code == 0
    student, alone = (load(f"{run}/checkpoints/last.ckpt") for run in ("student", "alone"))
    name = "network.encoder.weight"
    assert not torch.equal(student["state_dict"][name], alone["state_dict"][name])
    assert student["state_dict"].keys() == alone["state_dict"].keys()


def test_a_teacher_of_other_data_is_refused(fit):
    assert fit("--run_dir=teacher", "--data.num_features=4", "--model.bits=float32").code == 0
    outcome = fit("--model.teacher_ckpt=teacher/checkpoints/best.ckpt")
    assert outcome.code == 2
    assert "teacher_ckpt has num_features 4, the data have 8" in outcome.err


def test_a_process_of_its_own_is_silent_on_the_standard_error(tmp_path):
    command = [sys.executable, "-m", "qgnn_lightning.cli", "fit", *SMALL]
    options = ["--trainer.max_epochs=2", "--model.bits=int4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (tmp_path / "runs" / "block_model_int4" / "version_0" / "results.json").is_file()


def test_every_file_of_a_run_and_every_field_of_its_results_is_described(trained):
    told = (Path(__file__).parents[2] / "docs" / "run-directory.md").read_text(encoding="utf-8")
    results = json.loads((trained / "results.json").read_text())
    files = [str(one.relative_to(trained)) for one in trained.rglob("*") if one.is_file()]
    names = {re.sub(r"(?<=tfevents).*", ".*", name) for name in files}
    for name in names | results.keys() | results["data"].keys() | results["size_bytes"].keys():
        assert f"`{name}`" in told, name
