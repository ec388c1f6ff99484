"""Every mistake is answered with one line that names it, and an exit code."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._trainer_options import check_accelerator
from qgnn_lightning.nn import SmoothnessAwarePropagation

_USAGE = {
    "": r"--ckpt_path is needed",
    "--ckpt_path=none.ckpt": r"--ckpt_path must be a checkpoint file, there is none at none.ckpt",
    "--ckpt_path=.": r"--ckpt_path must be a checkpoint file",
}
_FIT = {
    # the command line
    "--model.bit int2": (2, r"unknown option --model.bit: did you mean --model.bits\?"),
    "--trainer.max_epoch 3": (2, r"did you mean --trainer.max_epochs\?"),
    "--nonsense": (2, r"unknown option --nonsense"),
    "extra": (2, r"unrecognized arguments: extra \(see --help\)\n"),
    ".": (2, r"unrecognized arguments: .: did you mean --data.source files --data.root .\?\n"),
    "list.yaml": (2, r"unrecognized arguments: list.yaml: did you mean -c list.yaml\?\n"),
    "text.ckpt": (2, r"unrecognized arguments: text.ckpt: did you mean --ckpt_path text.ckpt\?\n"),
    "--data.name": (2, r"--data.name: expected one argument"),
    "--model.bits int3": (2, r"--model.bits must be one of .*'int2-paper', got int3\n"),
    "--model.residual_bits 5": (2, r"--model.residual_bits must be one of 8, 16, got 5\n"),
    "--model.bits 2": (2, r"--model.bits must be one of .*, got 2: did you mean int2\?\n"),
    "--data.source file": (2, r"--data.source must be one .*, got file: did you mean files\?\n"),
    "--model.num_steps x": (2, r"--model.num_steps must be a whole number, got x\n"),
    "--model.num_steps 2.5": (2, r"--model.num_steps must be a whole number, got 2.5\n"),
    "--model.num_steps null": (2, r"--model.num_steps must be a whole number, got nothing \(null"),
    "--model.dropout x": (2, r"--model.dropout must be a number, got x\n"),
    "--observers maybe": (2, r"--observers must be true or false, got maybe\n"),
    "--trainer.max_epochs x": (2, r"--trainer.max_epochs must be a whole number or null, got x\n"),
    "--data.num_neighbors [1,x]": (2, r"--data.num_neighbors must be whole numbers, got \[1, 'x'"),
    "--model.stage_bits {input:x}": (
        2,
        r"--model.stage_bits must be whole numbers by name or null, got {input:x}\n",
    ),
    "--seed_everything true": (2, r"--seed_everything must be a whole number from 0"),
    "--seed_everything -1": (2, r"--seed_everything must be a whole number from 0"),
    "--optimizer Adam": (2, r"--optimizer: the optimizer is always Adam: set --model.learning"),
    "--lr_scheduler StepLR": (2, r"--lr_scheduler: the optimizer is always Adam"),
    "--trainer.logger Foo": (2, r"--trainer.logger must be .*, got Foo"),
    "--trainer.callbacks Foo": (2, r"--trainer.callbacks must be .*, got Foo"),
    # configuration files
    "-c none.yaml": (2, r"--config: File does not exist: .*none.yaml"),
    "-c .": (2, r"--config: Path is not a file"),
    "-c unknown.yaml": (2, r"unknown option --model.bitz: did you mean --model.bits\?"),
    "-c broken.yaml": (2, r"broken.yaml is not YAML: line 1: .+"),
    "--config=empty.yaml": (2, r"empty.yaml must hold options such as 'model:', got nothing"),
    "-c list.yaml": (2, r"list.yaml must hold options such as 'model:', got \['model'\]"),
    "-c picture.yaml": (2, r"picture.yaml is not a configuration: it is not text in UTF-8"),
    "-c word.yaml": (2, r"word.yaml: model must hold options such as .*, got 'int2'"),
    "-c type.yaml": (2, r"--model.dropout must be a number, got high"),
    # arguments out of range
    "--model.num_steps 0": (2, r"--model.num_steps must be at least 1, got 0\n"),
    "--model.dropout 1.5": (2, r"--model.dropout must be in \[0, 1\), got 1.5"),
    "--model.learning_rate -1": (2, r"--model.learning_rate must be positive, got -1.0"),
    "--model.stage_bits.foo 2": (2, r"--model.stage_bits must name stages of .* got 'foo'"),
    "--model.smoothing -1": (2, r"--model.smoothing must be at least 0, got -1.0"),
    "--model.part_weight_decay.foo 1": (2, r"--model.part_weight_decay must name .* got 'foo'"),
    "--oversmoothing.every_n_epochs 0": (
        2,
        r"--oversmoothing.every_n_epochs must be at least 1, got 0\n",
    ),
    "--trainer.max_epochs -5": (
        2,
        r"--trainer.max_epochs must be at least 1, or -1 for no end, got -5\n",
    ),
    "--trainer.max_steps -7": (2, r"--trainer.max_steps must be at least 1, or -1 .*, got -7\n"),
    "--trainer.accumulate_grad_batches 0": (2, r"--trainer.acc\w+ must be at least 1, got 0\n"),
    "--trainer.check_val_every_n_epoch 0": (2, r"--trainer.check\w+ must be at least 1, got 0\n"),
    "--export x.txt": (2, r"export must end in .safetensors, got 'x.txt'"),
    "--export x.safetensors --model.bits float32": (
        2,
        r"a network in full precision cannot",
    ),
    "--export x.safetensors --model.stage_bits.input 32": (2, r"bits of input must be 2, 4 or 8"),
    "--trainer.accelerator foo": (
        2,
        r"--trainer.accelerator must be one that this machine has, auto, cpu.*, got foo\n",
    ),
    "--trainer.devices 2 --trainer.accelerator cpu": (2, r"would train 2 ident.* --data.batching"),
    # data
    "--data.source foo": (2, r"--data.source must be one of 'digits'.*got foo"),
    "--data.source planetoid": (2, r"--data.name must be one of Cora, CiteSeer, PubMed"),
    "--data.source planetoid --data.name Corra": (2, r"--data.name must be one of .* got 'Corra'"),
    "--data.name Cora": (2, r"--data.name is Cora, but the source \w+ has only one graph: "),
    "--data.source npz --data.root none.npz": (
        2,
        r"--data.root must be an .npz file, there is no",
    ),
    "-c own.yaml": (2, r"there is none at g.npz; --data.root of own.yaml is looked up from .*, /"),
    "--data.source npz --data.root g": (2, r"none at g; --data.root is looked up from .*, /"),
    "--data.steps_per_epoch 0": (2, r"--data.steps_per_epoch must be from 1 to 10,000, got"),
    "--data.split random --data.num_val 5000": (
        2,
        r"--data.num_val \+ --data.num_test must not ex",
    ),
    "--trainer.max_epochs=0": (2, r"--trainer.max_epochs must be at least 1, or -1 for no end"),
    "--data.source block_model": (2, r"no public split: add --data.split random"),
    "--data.source planetoid --data.name Cora --data.root none --data.download false": (
        1,
        r"Cora needs 8 files in none/Cora/raw",
    ),
    # files
    "--run_dir text.ckpt": (2, r"run directory text.ckpt cannot be written to"),
    "--run_dir /dev/null/x": (2, r"cannot be written to .*: name another one with --run_dir"),
    "--trainer.default_root_dir text.ckpt": (2, r"run directory text.ckpt.* cannot be written"),
    "--ckpt_path text.ckpt": (2, r"--ckpt_path text.ckpt is not a checkpoint"),
    "--ckpt_path empty.ckpt": (2, r"ckpt_path empty.ckpt is cut off or damaged"),
    "--ckpt_path list.ckpt": (2, r"ckpt_path list.ckpt is not a checkpoint of this program"),
    "--model.teacher_ckpt none.ckpt": (
        2,
        r"--model.teacher_ckpt must be a checkpoint file",
    ),
    "--model.teacher_ckpt text.ckpt": (2, r"--model.teacher_ckpt text.ckpt is not a checkpoint"),
}


@pytest.fixture
def files(tmp_path) -> None:
    (tmp_path / "unknown.yaml").write_text("model:\n  bitz: int2\n")
    (tmp_path / "broken.yaml").write_text("model: [\n")
    (tmp_path / "own.yaml").write_text("data: {source: npz, root: g.npz}\n")
    (tmp_path / "type.yaml").write_text("model:\n  dropout: high\n")
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    (tmp_path / "list.yaml").write_text("- model\n")
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "word.yaml").write_text("model: int2\n")
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "empty.ckpt").write_text("")
    torch.save([1], tmp_path / "list.ckpt")


def _assert_refused(outcome, command: str, code: int, message: str) -> None:
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1, outcome.err
    assert re.match(f"qgnn {command}: error: .*{message}", outcome.err), outcome.err
    assert outcome.code == code


@pytest.mark.parametrize("options", _FIT)
def test_fit(qgnn, files, tmp_path, options):
    before = sorted(tmp_path.iterdir())
    code, message = _FIT[options]
    _assert_refused(qgnn("fit", *options.split()), "fit", code, message)
    left = [path for path in tmp_path.iterdir() if path not in before]
    assert all(path.name == "runs" and not any(path.rglob("version_*")) for path in left)


@pytest.mark.parametrize("options", _USAGE)
def test_a_checkpoint_is_needed(qgnn, options):
    for command in ("test", "predict"):
        _assert_refused(qgnn(command, *options.split()), command, 2, _USAGE[options])


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("--output=a.xlsx", 2, r"output must end in .csv or .parquet, got 'a.xlsx'"),
        ("--output=no/a.csv", 2, r"--output: there is no folder no"),
        ("--outpt=a.csv", 2, r"unknown option --outpt: did you mean --output\?"),
    ],
)
def test_predict(qgnn, trained, options, code, message):
    checkpoint = f"--ckpt_path={trained / 'checkpoints' / 'best.ckpt'}"
    _assert_refused(qgnn("predict", checkpoint, options), "predict", code, message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--model.hidden_features=32", r"hidden_features is 32, but .* trained with 8"),
        ("--model.bits=int8", r"--model.bits is 'int8', but .* trained with 'int2'"),
        ("--model.stage_bits.weight=8", r"stage_bits is {'weight': 8}, but .* with None"),
        ("--model.num_steps=64", r"--model.num_steps is 64, but .* trained with 3"),
        ("--data.split_seed=5", r"trained on \d+ nodes that are now validation or test nodes"),
    ],
)
def test_a_contradiction_to_the_checkpoint_names_both_values(qgnn, trained, option, message):
    outcome = qgnn("test", f"--ckpt_path={trained / 'checkpoints' / 'best.ckpt'}", option)
    _assert_refused(outcome, "test", 2, message)


class _Crafted:
    def __reduce__(self):
        return (os.system, ("touch crafted",))


@pytest.mark.parametrize(
    ("hyper_parameters", "message"),
    [
        ({"_class_path": "antigravity.Flight"}, r"arguments that the model does not take: _class"),
        ({"_instantiator": "antigravity.fly"}, r"arguments that the model does not take: _inst"),
        ({"class_path": "antigravity.Flight"}, r"arguments that the model does not take: class"),
        ({"bits": {"class_path": "antigravity.Flight"}}, r"wrong argument: --model.bits"),
        (
            {"stage_bits": {"class_path": "antigravity.Flight", "init_args": {}}},
            r"wrong argument: --model.stage_bits",
        ),
        ({"bits": "int99"}, r"wrong argument: --model.bits must be one of"),
        ({"teacher_ckpt": _Crafted()}, r"is not a checkpoint of this program"),
    ],
)
def test_nothing_in_a_checkpoint_is_imported_or_run(
    qgnn, trained, tmp_path, hyper_parameters, message
):
    crafted = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    crafted["hyper_parameters"] |= hyper_parameters
    torch.save(crafted, tmp_path / "crafted.ckpt")
    outcome = qgnn("test", "--ckpt_path=crafted.ckpt", "--model.dropout=0.1")
    _assert_refused(outcome, "test", 2, message)
    assert "antigravity" not in sys.modules
    assert not Path("crafted").exists()


def test_a_cut_checkpoint_is_refused(qgnn, trained, tmp_path):
    whole = (trained / "checkpoints" / "last.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    for command in ("fit", "test"):
        outcome = qgnn(command, "--ckpt_path=cut.ckpt")
        _assert_refused(outcome, command, 2, r"cut.ckpt is cut off or damaged")


def test_a_network_without_memory_is_named_before_anything_is_made(fit, tmp_path):
    outcome = fit("--model.hidden_features=1000000000000")
    weight, network = 4 * 8 * 10**12 / 2**30, 4 * 10**12 * (8 + 1 + 3) / 2**30
    assert outcome.code == 1
    found = re.fullmatch(
        r"qgnn fit: error: not enough memory for the network, ([\d,.]+) GiB: "
        r"network.encoder.weight alone is 1,000,000,000,000 x 8 numbers, ([\d,.]+) GiB\n",
        outcome.err,
    )
    assert found is not None, outcome.err
    assert float(found[2].replace(",", "")) == pytest.approx(weight, abs=0.1)
    assert float(found[1].replace(",", "")) >= network
    assert not any(tmp_path.rglob("version_*"))


def test_a_step_without_memory_is_named(fit, monkeypatch):
    def forward(self, x, adjacency):
        return torch.empty(10**9, 10**6)

    monkeypatch.setattr(SmoothnessAwarePropagation, "forward", forward)
    outcome = fit("--run_dir=run")
    assert (outcome.code, outcome.out) == (1, "run directory  run\n")
    assert outcome.err == (
        "qgnn fit: error: not enough memory: 3,725,290.3 GiB asked for at once, "
        "by network.propagation for an input of 60 x 3 numbers\n"
    )


@pytest.mark.parametrize("option", ["--model.smoothing=-1", "--model.hidden_features=100000000000"])
def test_a_directory_keeps_what_it_had_where_no_network_can_be_made(fit, tmp_path, option):
    here = tmp_path / "here"
    here.mkdir()
    assert fit("--run_dir=here", option).code != 0
    assert list(here.iterdir()) == []
    # A run that was broken off before its first checkpoint: its logs would be taken back.
    (here / "diagnostics.jsonl").write_text("{}\n")
    assert fit("--run_dir=here", "--resume=auto", option).code != 0
    assert [path.name for path in here.iterdir()] == ["diagnostics.jsonl"]


def test_another_run_keeps_nothing_of_what_it_would_have_continued(
    qgnn, trained, tmp_path, monkeypatch
):
    def refuse(network):
        raise ValueError("dropout must be something else")

    monkeypatch.setattr("qgnn_lightning.cli._preparation.check_packable", refuse)
    last = trained / "checkpoints" / "last.ckpt"
    outcome = qgnn("fit", f"--ckpt_path={last}", f"--config={trained / 'config.yaml'}",
                   "--run_dir=other", "--export=x.safetensors")  # fmt: skip
    _assert_refused(outcome, "fit", 2, r"--model.dropout must be something else")
    assert not (tmp_path / "other").exists()


def test_weights_that_blow_up_are_an_error_that_names_the_layer(fit):
    outcome = fit("--model.learning_rate=1e30", "--observers=false")
    assert outcome.code == 1
    assert re.search(r"loss is (nan|inf) in step \d", outcome.err)
    assert "try a lower learning_rate" in outcome.err
    assert outcome.err.count("\n") == 1


def test_hardware_is_accepted_where_it_is_there(monkeypatch):
    for gpu in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(gpu, "is_available", staticmethod(lambda: False))
    for name in ("auto", "cpu", "CPU", CUDAAccelerator()):
        check_accelerator(name)
    with pytest.raises(UsageError, match=r"this machine has, auto, cpu, got gpu"):
        check_accelerator("gpu")
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    for name in ("gpu", "cuda"):
        check_accelerator(name)
