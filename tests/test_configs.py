"""Every configuration file is read by the command line, and every experiment trains."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml

from qgnn_lightning.cli import main
from qgnn_lightning.cli._application import Application
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.data import GraphBatch, GraphDataModule

_CONFIGS = Path(__file__).parents[1] / "configs"
_EXPERIMENTS = sorted((_CONFIGS / "experiment").glob("*.yaml"))
_PIECES = sorted(_CONFIGS.glob("[!e]*/*.yaml"))
_NAMES = {
    "digits_int2", "digits_float32", "cora_float32", "cora_int8", "cora_int4", "cora_int2",
    "cora_int2_paper", "citeseer_float32", "citeseer_int8", "citeseer_int4", "citeseer_int2",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def synthetic(monkeypatch) -> None:
    """A small graph in place of any data set."""
    generator = torch.Generator().manual_seed(0)
    nodes = torch.arange(40)
    both = torch.cat([nodes, (nodes + 1) % 40])
    graph = GraphBatch.from_tensors(
        x=torch.rand(40, 6, generator=generator),
        edge_index=torch.stack([both, both.roll(40)]),
        y=nodes % 4,
        train_mask=nodes < 20,
        val_mask=(nodes >= 20) & (nodes < 30),
        test_mask=nodes >= 30,
    )
    monkeypatch.setattr(GraphDataModule, "prepare_data", lambda self: None)
    monkeypatch.setattr(GraphDataModule, "setup", lambda self, stage=None: None)
    monkeypatch.setattr(GraphDataModule, "graph", property(lambda self: graph))
    monkeypatch.setattr(GraphDataModule, "train_dataloader", GraphDataModule.val_dataloader)


def _name(path: Path) -> str:
    return path.stem


def test_the_experiments_are_all_there():
    assert {path.stem for path in _EXPERIMENTS} >= _NAMES


@pytest.mark.parametrize("path", _EXPERIMENTS, ids=_name)
def test_an_experiment_trains_one_epoch(synthetic, path, tmp_path):
    options = ["--trainer.max_epochs=1", "--observers=false", "--trainer.accelerator=cpu"]
    with quiet():
        application = Application(["fit", "-c", str(path), *options], 0.0)
    assert application.trainer.global_step >= 1
    # The run is named after what the experiment says.
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == path.stem


@pytest.mark.parametrize("path", _EXPERIMENTS, ids=_name)
def test_an_experiment_says_data_model_and_trainer(path):
    config = yaml.safe_load(path.read_text())
    assert config.keys() == {"data", "model", "trainer"}
    assert config["trainer"]["max_epochs"] == 200
    bits = path.stem.split("_", 1)[1].replace("_", "-")
    assert config["model"]["bits"] == bits


@pytest.mark.parametrize("path", _PIECES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_piece_states_only_its_part_and_is_read(synthetic, path):
    assert list(yaml.safe_load(path.read_text())) == [path.parent.name]
    options = ["--trainer.fast_dev_run=true", "--observers=false", "--trainer.accelerator=cpu"]
    assert main(["fit", "-c", str(path), *options]) == 0


def test_pieces_compose(synthetic, tmp_path):
    pieces = ["data/cora", "model/int4", "trainer/quick"]
    composed = [option for piece in pieces for option in ("-c", str(_CONFIGS / f"{piece}.yaml"))]
    options = ["--observers=false", "--run_dir=run", "--trainer.accelerator=cpu"]
    assert main(["fit", *composed, *options]) == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["data"]["name"] == "Cora"
    assert config["model"]["bits"] == "int4"
    assert config["trainer"]["max_epochs"] == 5


def test_without_arguments_the_digits_are_trained_at_two_bits(synthetic, tmp_path, monkeypatch):
    """``qgnn fit`` is the experiment ``digits_int2``."""
    monkeypatch.setattr("lightning.pytorch.Trainer.fit", lambda *args, **kwargs: None)
    configs = []
    for options in ([], ["-c", str(_CONFIGS / "experiment" / "digits_int2.yaml")]):
        with quiet():
            application = Application(["fit", *options], 0.0)
        configs.append(application.plain_config)
    assert configs[0] == configs[1]
    assert configs[0]["data"]["source"] == "digits"
