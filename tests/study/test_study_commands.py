"""``qgnn seeds`` and ``qgnn study`` with real trainings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from inspect import signature
from pathlib import Path

import pytest
import torch
from study_cases import read

from qgnn_lightning.cli import main
from qgnn_lightning.cli._option_names import defaults_of
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier

_PROJECT = Path(__file__).parents[2]
_SMALL = {
    "data.source": "block_model", "data.num_nodes": 60, "data.num_edges": 150,
    "data.num_features": 8, "data.num_classes": 3, "data.split": "random",
    "data.num_train_per_class": 5, "data.num_val": 15, "data.num_test": 20,
    "model.hidden_features": 8, "model.num_steps": 3, "trainer.accelerator": "cpu",
    "trainer.max_epochs": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(_PROJECT))
    monkeypatch.delenv("QGNN_DEBUG", raising=False)


def write_study(**changes: object) -> Path:
    axes = {"bits": {one: {"model.bits": one} for one in ("int2", "float32")}}
    content = {"base": [_SMALL], "axes": axes, "seeds": 2, **changes}
    path = Path("study.yaml")
    path.write_text(json.dumps(content))
    return path


def test_a_run_is_the_same_in_a_process_of_its_own_and_after_another():
    """Runs in one process leave no traces in each other."""
    words = [f"--{name}={value}" for name, value in _SMALL.items()]
    assert main(["seeds", *words, "--seeds", "0,1", "-o", "both", "--jobs", "1"]) == 0
    command = ["fit", *words, "--seed_everything=1", "--run_dir=alone"]
    main_module = [sys.executable, "-m", "qgnn_lightning.cli"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*main_module, *command], env=environment, check=True, capture_output=True)
    (second,) = Path("both/runs").glob("seed_1-*")
    for name in ("best", "last"):
        one, other = (
            torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
            for folder in (second, Path("alone"))
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    alone, run = read(Path("alone/results.json")), read(second / "results.json")
    assert run["diagnostics"] == alone["diagnostics"]
    assert run["accuracy"] == alone["accuracy"]
    kept = read(Path("both/results.json"))["cells"][0]["runs"][1]["measures"]
    assert kept["accuracy.test"] == alone["accuracy"]["test"]
    for tag in ("quantization_error/relative", "constraint/multiplier", "mean_average_distance"):
        last = alone["diagnostics"][tag]["values"][-1]
        assert kept[f"{tag}/last"] == float(f"{last:.6g}")


def test_results_of_a_study_are_a_json_file(capsys):
    Path("study.yaml").write_text("seeds: 1\n")
    for name in ("table.md", "st.txt", "st"):
        assert main(["study", "study.yaml", "-o", name]) == 2
        assert f"--output must end in .json, got {name}: the table is" in capsys.readouterr().err
        assert not Path(name).exists()


def test_seeds_and_splits(capsys):
    Path("small.yaml").write_text(json.dumps({"data": {"source": "digits"}}))
    arguments = [
        "seeds", "-c", "small.yaml", "--seeds", "3,5", "--splits", "public", "random",
        "--trainer.max_epochs", "2", "--observers=false", "-o", "out", "--jobs", "2",
    ]  # fmt: skip
    assert main(arguments) == 0
    content = read(Path("out/results.json"))
    assert [cell["values"]["split"] for cell in content["cells"]] == ["public", "random"]
    assert content["seeds"] == [3, 5]
    configs = [read(path)["config"] for path in Path("out/runs").glob("*/results.json")]
    assert sorted((one["data"]["split"], one["data"]["split_seed"]) for one in configs) == [
        ("public", 0), ("public", 0), ("random", 3), ("random", 5)
    ]  # fmt: skip
    assert {one["trainer"]["max_epochs"] for one in configs} == {2}
    out = capsys.readouterr().out
    assert "[4/4]" in out
    assert out.endswith("\nruns     out/runs\n")
    assert main(arguments) == 0
    assert "4 finished, 0 to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("small.yaml", "small"),
        ("mine/config.yaml", "mine"),
        ("a/version_2/config.yaml", "a_version_2"),
    ],
)
def test_the_options_of_a_run_are_called_after_its_folder(config, name, capsys):
    Path(config).parent.mkdir(parents=True, exist_ok=True)
    Path(config).write_text(json.dumps({"data": {"source": "digits"}}))
    assert main(["seeds", "-c", config, "--seeds", "1", "--dry_run"]) == 0
    assert capsys.readouterr().out == f"{name}: 1 run, 0 finished, 1 to do\n"
    assert Path(f"runs/{name}_seeds").is_dir()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "digits_int2"),
        (["--data.source", "files", "--data.root", "some/gs"], "files_gs_int2"),
        (["--data.source=files", "--data.root=g7", "--model.bits=int4"], "files_g7_int4"),
        (["--model.architecture=gcn", "--model.bits", "float32"], "digits_gcn_float32"),
    ],
)
def test_without_a_configuration_seeds_are_called_after_data_and_bits_as_runs_are(
    words, name, capsys
):
    assert main(["seeds", *words, "--seeds", "3", "--dry_run"]) == 0
    assert capsys.readouterr().out == f"{name}: 3 runs, 0 finished, 3 to do\n"
    assert Path(f"runs/{name}_seeds").is_dir()


def test_the_defaults_in_the_source_are_those_of_the_classes():
    for group, kind in (("data", GraphDataModule), ("model", NodeClassifier)):
        parameters = signature(kind).parameters
        assert defaults_of(group) == {name: one.default for name, one in parameters.items()}


def test_a_failing_cell_gives_code_1_and_its_error(capsys):
    axes = {"rate": {"good": {}, "bad": {"model.learning_rate": 1e38}}}
    path = write_study(axes=axes, seeds=1)
    assert main(["study", str(path), "-o", "out.json", "--jobs", "1"]) == 1
    captured = capsys.readouterr()
    assert "1 of 2 runs failed, the first: rate=bad seed 0: " in captured.err
    assert len(captured.err.splitlines()) == 1
    assert [len(cell["runs"]) for cell in read(Path("out.json"))["cells"]] == [1, 0]
    assert "runs     none is kept: `qgnn fit` with the options of one" in captured.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data.source": "files", "data.root": "nope"}, "--data.root must be the folder of"),
        ({"data.num_val": 1000}, "--data.num_val + --data.num_test must not exceed the"),
    ],
)
@pytest.mark.parametrize("command", ["seeds", "study"])
def test_a_graph_is_refused_before_anything_runs_in_the_words_of_fit(
    command, options, message, capsys
):
    words = [f"--{name}={value}" for name, value in {**_SMALL, **options}.items()]
    assert main(["fit", *words]) == 2
    (of_fit,) = capsys.readouterr().err.splitlines()
    assert of_fit.startswith(f"qgnn fit: error: {message}")
    given = [str(write_study())] if command == "study" else []
    assert main([command, *given, *words, "-o", "out.json"]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [of_fit.replace("qgnn fit", f"qgnn {command}")]
    assert captured.out == ""


def test_an_unknown_option_is_named_before_anything_runs(capsys):
    axes = {"bits": {"good": {"model.bits": "int2"}, "bad": {"model.bitz": "int2"}}}
    assert main(["study", str(write_study(axes=axes)), "-o", "out.json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("qgnn study: error: bits=bad: unknown option --model.bitz: did you")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"model.bits": "int3"}, "some=bad: --model.bits must be one of "),
        ({"model.dropout": 1.5}, "some=bad: --model.dropout must be in [0, 1), got 1.5"),
        ({"data.homophily": 2}, "some=bad: --data.homophily must be in [0, 1], got 2.0"),
        ({"model.bitz": "int2"}, "some=bad: unknown option --model.bitz"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_wrong_values_are_named_before_anything_runs(option, message, dry_run, capsys):
    path = write_study(axes={"some": {"good": {}, "bad": option}})
    arguments = ["study", str(path), "-o", "out.json", *(["--dry_run"] if dry_run else [])]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_a_dry_run_lists_the_cells_and_writes_nothing(capsys):
    assert main(["study", str(write_study()), "-o", "out.json", "--dry_run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "study: 2 combinations of options, 4 runs, 0 finished, 4 to do",
        "    0 of 2  bits=int2",
        "    0 of 2  bits=float32",
    ]
    assert not Path("out.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seeds", "--seeds", "x"], "seeds must be how many (10), a range (0..9) or a list (3,5)"),
        (["seeds", "--splits", "other"], "--splits: invalid choice: 'other'"),
        (["seeds", "--jobs", "0"], "--jobs: must be a whole number of at least 1, got '0'"),
        (["seeds", "--model.bits"], "--model.bits needs a value"),
        (["seeds", "--model.bits", "--dry_run"], "--model.bits needs a value"),
        (["seeds", "--bits", "int2"], "unrecognized arguments: --bits int2"),
        (["seeds", "--seed_everything", "3"], "the command line must not set seed_everything"),
        (["seeds", "-c", "no.yaml"], "no.yaml cannot be read"),
        (
            ["seeds", "--splits", "random", "--data.split_seed", "3"],
            "--data.split_seed contradicts --splits",
        ),
        (["study"], "required: STUDY.yaml"),
        (["study", "no.yaml"], "no.yaml cannot be read: No such file"),
    ],
)
def test_wrong_usage_gives_one_line_and_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_children_and_keeps_what_is_finished(number, code):
    study = write_study(base=[_SMALL, {"trainer.max_epochs": 2}], axes={}, seeds=50)
    process = subprocess.Popen(
        [
            sys.executable, "-u", "-m", "qgnn_lightning.cli", "study", str(study),
            "-o", "out.json", "--jobs", "1", "--observers", "false",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # Shells start what runs in the background with interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[ 1/50]"):
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command goes on" in errors
    assert len(read(Path("out.json"))["cells"][0]["runs"]) >= 1
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{child}") for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
