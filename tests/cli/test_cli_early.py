"""Slips are answered before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from qgnn_lightning.cli._choices import check_choices
from qgnn_lightning.cli._completion import command_options
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._option_names import arguments_of, check_option_names
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fitt"], "unknown command 'fitt': did you mean fit?"),
        (["fit", "--modle.bits", "2"], "unknown option --modle.bits: did you mean --model.bits?"),
        (["test", "--data.sorce=x"], "unknown option --data.sorce: did you mean --data.source?"),
        (["fit", "--model.foo.bar=1"], "unknown option --model.foo.bar (see --help)"),
        (["fit", "-data.split", "random"], "-data.split: did you mean --data.split?"),
        (["fit", "--trainer.max_epoch", "3"], "did you mean --trainer.max_epochs?"),
        (["fit", "--trainer.epochs", "3"], "did you mean --trainer.max_epochs?"),
        (["fit", "--epochs=3"], "unknown option --epochs: did you mean --trainer.max_epochs?"),
        (["fit", "--bits", "int2"], "unknown option --bits: did you mean --model.bits?"),
        (["fit", "--sed_everything=1"], "--sed_everything: did you mean --seed_everything?"),
        (["fit", "--model.bits", "7"], "--model.bits must be one of 'float32', 'int8', 'int4', "),
        (["data", "check", ".", "--data.split=no"], "must be one of 'public', 'random', got no"),
        (["fit", "-c", "none.yaml"], "--config: File does not exist: none.yaml"),
        (["fit", "-c", "."], "--config: Path is not a file: ."),
        (["fit", "-c", "open.yaml"], "open.yaml is not YAML: line 2: expected ',' or '}', but got"),
        (["fit", "-c", "long.yaml"], f"'model:', got ['{'m' * 12}...{'m' * 13}', 'a']"),
        (["info", "none"], "there is no file none"),
        (["data"], "qgnn data is followed by check, got nothing"),
        (["data", "chek"], "qgnn data is followed by check, got 'chek': did you mean check?"),
        (["data", "check"], "a graph is needed: qgnn data check PATH, or -c CONFIG"),
        (["data", "check", "none"], "PATH must be a folder of files or an .npz file"),
        (["data", "check", "--data.roof=x"], "unknown option --data.roof: did you mean"),
        (["export", "none", "-o", "a.bin"], "--output must end in .safetensors, got 'a.bin'"),
    ],
)
def test_without_torch(arguments, message, tmp_path):
    (tmp_path / "open.yaml").write_text("model:\n  stage_bits: {input: 2\n")
    (tmp_path / "long.yaml").write_text(f"- {'m' * 50}\n- a\n")
    code = (
        "import sys\nfrom qgnn_lightning.cli import main\n"
        f"code = main({arguments!r})\n"
        "assert not {'torch', 'lightning', 'jsonargparse'} & set(sys.modules)\n"
        "sys.exit(code)"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert message in done.stderr


def test_the_names_in_the_source_are_those_of_the_classes():
    for group, kind in (("model", NodeClassifier), ("data", GraphDataModule), ("trainer", Trainer)):
        assert list(arguments_of(group)) == list(signature(kind).parameters)


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_no_option_that_there_is_is_refused(command):
    with quiet():
        options = command_options(command)
    assert {"--seed_everything", "--model.bits", "--figures.every_n_epochs"} & options.keys()
    for option, choices in options.items():
        check_option_names([option])
        for choice in choices:
            check_choices([option, choice])
            check_choices([f"{option}={choice}"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("fit --model.bits 2", "got 2: did you mean int2?"),
        ("test --model.residual_bits=7", "must be one of 8, 16, got 7"),
        ("fit --data.split randm", "got randm: did you mean random?"),
        ("predict --ckpt_pth a.ckpt", "--ckpt_pth: did you mean --ckpt_path?"),
        ("fit --trainer.max_epoch=3", "unknown option --trainer.max_epoch: did you mean"),
    ],
)
def test_the_parser_says_the_same(qgnn, monkeypatch, arguments, said):
    early = qgnn(*arguments.split())
    assert early.code == 2
    assert said in early.err
    for check in ("check_option_names", "check_choices"):
        monkeypatch.setattr(f"qgnn_lightning.cli._main.{check}", lambda arguments: None)
    assert qgnn(*arguments.split()) == early


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model.bits"], ["--model.bits", "int4"], ["--model.bits='int4'"], ["--model.bits=null"],
        ["--model.residual_bits", "16"], ["--data.source", "foo"], ["--model.num_steps", "x"],
        ["--trainer.accelerator", "foo"], ["--model.input_quantizer=null"],
    ],
)  # fmt: skip
def test_a_value_that_may_be_right_is_left_to_the_parser(arguments):
    check_choices(arguments)


@pytest.mark.parametrize(
    "option",
    [
        "--model.bits", "--model.stage_bits.input=2", "--model.stage_bits+={}", "--data.root=a.b",
        "--trainer.max_epochs", "--trainer.logger.init_args.save_dir=a", "--figures.foo", "--model",
        "--oversmoothing.every_n_epochs", "--optimizer.lr", "a.b", "-c", "--run_dir=a.b",
    ],
)  # fmt: skip
def test_what_may_be_right_is_left_to_the_parser(option):
    check_option_names([option])


def test_options_as_they_stand_in_a_file_are_no_missing_file(qgnn):
    outcome = qgnn("fit", "--config={model: {num_steps: 0}}")
    assert (outcome.code, outcome.err) == (
        2,
        "qgnn fit: error: --model.num_steps must be at least 1, got 0\n",
    )


def test_a_misspelt_group_is_refused():
    with pytest.raises(UsageError, match=r"--dat\.name: did you mean --data\.name\?"):
        check_option_names(["--dat.name", "Cora"])
