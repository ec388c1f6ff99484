"""Packed networks on the command line."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
from commands import SMALL
from safetensors import safe_open

from qgnn_lightning.deploy import load_packed
from qgnn_lightning.run import PackedExport

DATA = [option for option in SMALL if option.startswith("--data")]


@pytest.fixture
def packed(qgnn, trained, tmp_path):
    path = tmp_path / "model.safetensors"
    outcome = qgnn("export", str(trained / "checkpoints" / "best.ckpt"), "-o", str(path))
    assert outcome.code == 0, outcome.err
    assert f"{path.stat().st_size:,} bytes" in outcome.out
    return path


def test_packed_predictions_equal_those_of_the_checkpoint(qgnn, trained, packed, tmp_path):
    best, every = str(trained / "checkpoints" / "best.ckpt"), "--every_probability"
    assert qgnn("predict", "--ckpt_path", best, "--output=one.csv", every).code == 0
    outcome = qgnn("predict", "--packed", str(packed), *DATA, "--output=two.csv", every)
    assert outcome.code == 0, outcome.err
    assert "60 predictions in two.csv" in outcome.out
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()


def test_packed_accuracies_are_those_in_the_results_of_the_run(qgnn, trained, packed):
    outcome = qgnn("test", "--packed", str(packed), *DATA)
    assert outcome.code == 0, outcome.err
    accuracy = json.loads((trained / "results.json").read_text())["accuracy"]
    expected = {f"{part}/accuracy": f"{100 * accuracy[part]:.1f} %" for part in ("test", "val")}
    assert dict(line.split(None, 1) for line in outcome.out.splitlines()) == expected


@pytest.mark.parametrize("command", ["test", "predict"])
def test_packed_or_checkpoint_but_not_both(qgnn, packed, command):
    outcome = qgnn(command, f"--packed={packed}", "--ckpt_path=any.ckpt", *DATA)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "--packed and --ckpt_path: one or the other" in outcome.err
    outcome = qgnn(command, *DATA)
    assert outcome.code == 2
    assert "--ckpt_path is needed" in outcome.err
    assert "or --packed" in outcome.err


def test_a_packed_network_that_knows_fewer_classes_is_not_tested(qgnn, packed):
    outcome = qgnn("test", "--packed", str(packed), *DATA, "--data.num_classes=4")
    assert outcome.code == 2
    assert "block_model has 4 classes, the network was trained on 3" in outcome.err


def test_a_packed_file_decides_the_model_of_any_configuration(qgnn, trained, packed):
    """That of the run and one of other bits."""
    Path("other.yaml").write_text("model: {bits: int8}\ntrainer: {max_epochs: 5}\n")
    best = str(trained / "checkpoints" / "best.ckpt")
    assert qgnn("predict", "--ckpt_path", best, "--output=one.csv").code == 0
    run = ["-c", str(trained / "config.yaml"), "--output=two.csv"]
    outcome = qgnn("predict", "--packed", str(packed), "-c", "other.yaml", *run)
    assert outcome.code == 0, outcome.err
    (said,) = outcome.out.splitlines()
    assert "60 predictions" in said
    assert Path("one.csv").read_text() == Path("two.csv").read_text()
    agree = ["--model.bits=int2", "--model.num_steps", "3", "--model.messages=delta_sigma"]
    assert qgnn("predict", "--packed", str(packed), *DATA, *agree).code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.bits", "int4"], "--model.bits int4 contradicts the packed network "),
        (["--model.bits", "int4"], "model.safetensors, in which bits is int2"),
        (["--model.num_steps=4"], "in which num_steps is 3"),
        (["--model.dropout=0.5"], "decides the model, leave it out"),
        (["--trainer.max_epochs=2"], "unknown option --trainer.max_epochs"),
        (["-c", "wrong.yaml"], "unknown option --sorce"),
        (["-c", "none.yaml"], "none.yaml"),
    ],
)
def test_what_contradicts_a_packed_file_is_an_error(qgnn, packed, options, message):
    Path("wrong.yaml").write_text("model: {bits: int8}\ndata: {sorce: digits}\n")
    outcome = qgnn("predict", "--packed", str(packed), *DATA, *options)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err


def test_info_lists_the_parts_of_both_kinds_of_file(qgnn, trained, packed):
    for path in (packed, trained / "checkpoints" / "best.ckpt"):
        outcome = qgnn("info", str(path))
        assert outcome.code == 0, outcome.err
        rows = {line[:18].strip(): line for line in outcome.out.splitlines()}
        assert rows["encoder weight"].split()[2] == "2"
        assert "8 x 8" in rows["encoder weight"]
        assert "messages of 3 steps" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export"], "required: checkpoint"),
        (["export", "none.ckpt", "-o", "m.safetensors"], "there is none at none.ckpt"),
        (["export", "none.ckpt", "-o", "m.bin"], "must end in .safetensors"),
        (["export", "none.ckpt", "-o", "no/m.safetensors"], "there is no folder no"),
        (["export", "none.ckpt", "--out", "m.safetensors"], "required: -o/--output"),
        (["info", "none"], "there is no file none"),
        (["info", "."], ". is a folder: name a checkpoint or a packed file in it"),
        (["predict", "--packed", "none.safetensors"], "there is no file none.safetensors"),
        (["predict", "--packed", "."], "--packed must be a packed network, . is a folder"),
        (["predict", "--packed", "none", "--data.sorce", "x"], "did you mean --data.source?"),
        (
            ["predict", "--packed", "none", "--output", "a.xlsx"],
            "-o/--output must end in .csv or .parquet",
        ),
    ],
)
def test_wrong_input_gives_one_line(qgnn, arguments, message):
    outcome = qgnn(*arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_damaged_packed_file(qgnn, packed):
    content = bytearray(packed.read_bytes())
    content[-1] ^= 1
    packed.write_bytes(content)
    for command in (["info", str(packed)], ["predict", "--packed", str(packed), *DATA]):
        outcome = qgnn(*command)
        assert outcome.code == 2
        assert outcome.err.endswith("model.safetensors is cut off or damaged\n")


def test_data_of_another_width(qgnn, packed):
    wide = [*DATA, "--data.num_features=9"]
    outcome = qgnn("predict", "--packed", str(packed), *wide)
    assert outcome.code == 2
    assert "takes 8 features, block_model has 9: name its data" in outcome.err


def test_full_precision_cannot_be_packed(qgnn, fit):
    assert fit("--model.bits=float32", "--run_dir=run").code == 0
    outcome = qgnn("export", "run/checkpoints/best.ckpt", "-o", "m.safetensors")
    assert outcome.code == 2
    assert outcome.err == (
        "qgnn export: error: checkpoint run/checkpoints/best.ckpt: a network in full precision "
        "cannot be packed: train one with bits int8, int4 or int2\n"
    )


def test_packed_network_is_what_freeze_gives(packed):
    network = load_packed(packed)
    assert (network.num_features, network.num_classes) == (8, 3)
    assert network(torch.rand(4, 8), torch.tensor([[0, 1], [1, 0]])).shape == (4, 3)


def test_fit_exports_the_best_epoch_when_asked(qgnn, fit):
    outcome = fit("--run_dir=run", "--export=end.safetensors")
    assert outcome.code == 0, outcome.err
    assert "packed         end.safetensors" in outcome.out
    assert qgnn("export", "run/checkpoints/best.ckpt", "-o", "later.safetensors").code == 0
    ours, later = load_packed("end.safetensors"), load_packed("later.safetensors")
    x, edges = torch.rand(6, 8), torch.tensor([[0, 1, 2], [1, 2, 3]])
    assert torch.equal(ours(x, edges), later(x, edges))


def test_one_size_everywhere(qgnn, fit):
    outcome = fit("--run_dir=run", "--export=end.safetensors")
    assert outcome.code == 0, outcome.err
    size = Path("end.safetensors").stat().st_size
    assert f"size           {size:,} bytes as a packed file: " in outcome.out
    assert json.loads(Path("run/results.json").read_text())["size_bytes"]["file"] == size
    best = "run/checkpoints/best.ckpt"
    exported = qgnn("export", best, "-o", "later.safetensors").out
    assert exported.startswith(f"later.safetensors: {size:,} bytes: ")
    assert exported.count("bytes") == 2  # of the file and of its codes, scales and biases
    assert qgnn("report", "run").code == 0
    page = Path("report.html").read_text(encoding="utf-8")
    assert f"<dt>Packed file</dt><dd>{size:,} bytes, " in page
    assert qgnn("info", best).out.endswith(f"packed file (qgnn export): {size:,} bytes\n")
    rows = [line.split() for line in qgnn("info", "end.safetensors").out.splitlines()[1:]]
    numbers = [int(row[-1].replace(",", "")) for row in rows]
    assert numbers[-1] == size == sum(numbers[:-1])
    # What the format stores is counted by safetensors itself.
    with safe_open("end.safetensors", "pt") as file:
        tensors = sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118
    assert tensors == sum(numbers[:-2])


def test_a_network_without_a_packed_file_says_what_is_counted(qgnn, fit):
    outcome = fit("--run_dir=run", "--model.architecture=gcn")
    found = json.loads(Path("run/results.json").read_text())["size_bytes"]
    assert found["file"] is None
    assert f"{found['packed']:,} bytes of codes, scales and biases, " in outcome.out
    assert "packed file" not in qgnn("info", "run/checkpoints/best.ckpt").out
    assert "qgnn export" not in outcome.out


def test_full_precision_has_words_of_its_own(fit):
    outcome = fit("--model.bits=float32")
    size = 4 * (8 * 8 + 8 + 8 * 3 + 3)
    assert f"size           {size} bytes of weights and biases, in float32\n" in outcome.out
    assert f"{size // 4} parameters; full precision, float32; 3 steps\n" in outcome.out
    assert "pack " not in outcome.out


def test_a_training_says_how_to_pack_and_what_the_file_would_take(qgnn, fit):
    outcome = fit("--run_dir=run")
    (line,) = (one for one in outcome.out.splitlines() if one.startswith("pack "))
    assert qgnn(*line.removeprefix("pack").split()[1:]).code == 0
    file = Path("model.safetensors").stat().st_size
    codes = json.loads(Path("run/results.json").read_text())["size_bytes"]["packed"]
    content = f"{codes:,} bytes of codes, scales and biases, {396 / codes:.1f}x smaller"
    size = f"size           {file:,} bytes as a packed file: {content} than float32 (396)\n"
    assert size in outcome.out


def test_what_is_stored_of_a_checkpoint_is_float32(qgnn, trained):
    lines = qgnn("info", str(trained / "checkpoints" / "best.ckpt")).out.splitlines()
    assert lines[0].endswith("  float32 bytes")
    assert lines[-1].startswith("weights in a checkpoint are float32")
    (weight,) = (line.split() for line in lines if line.startswith("encoder weight"))
    assert int(weight[-1]) == 4 * 8 * 8


def test_fit_exports_into_the_directory_it_makes(fit):
    export = ["--run_dir=runs/new", "--export=runs/new/end.safetensors"]
    assert fit("--dry_run", *export).code == 0
    outcome = fit(*export)
    assert outcome.code == 0, outcome.err
    assert Path("runs/new/end.safetensors").is_file()


def test_results_are_kept_where_the_export_fails(fit, monkeypatch):
    def full(self, network, class_names):
        raise OSError(errno.ENOSPC, "No space left on device", str(self.path))

    monkeypatch.setattr(PackedExport, "write", full)
    outcome = fit("--run_dir=run", "--export=end.safetensors")
    assert outcome.code == 1
    assert json.loads(Path("run/results.json").read_text())["accuracy"]["test"] > 0
    assert "test accuracy" in outcome.out
    assert "packed   " not in outcome.out
    assert outcome.err.endswith(
        "export end.safetensors cannot be written: No space left on device; the results are in "
        "run/results.json, pack later with: qgnn export run/checkpoints/best.ckpt -o FILE\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--export=end.bin"], "export must end in .safetensors, got 'end.bin'"),
        (["--export=no/end.safetensors"], "there is no folder no"),
        (["--export=end.safetensors", "--model.bits=float32"], "full precision cannot be packed"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_the_training(fit, options, message):
    outcome = fit("--run_dir=run", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert "epoch" not in outcome.err
