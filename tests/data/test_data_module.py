"""The data module on its own, and as Lightning drives it: no warning, no second copy."""

from __future__ import annotations

import timeit
import types
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningModule, Trainer

from qgnn_lightning.data import GraphBatch, GraphDataError, GraphDataModule
from qgnn_lightning.errors import OptionError

_CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "data").glob("*.yaml"))


@pytest.fixture
def graph(tensors) -> GraphBatch:
    return GraphBatch.from_tensors(**tensors())


class Linear(LightningModule):
    """A linear model that counts what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(5, 3)
        self.seen: list[GraphBatch] = []

    def training_step(self, batch, batch_idx):
        self.seen.append(batch)
        scores = self.layer(batch.x)[batch.mask("train")]
        loss = torch.nn.functional.cross_entropy(scores, batch.y[batch.mask("train")])
        self.log("loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val", self.layer(batch.x)[batch.mask("val")].mean(), batch_size=1)

    def test_step(self, batch, batch_idx):
        self.log("test", self.layer(batch.x)[batch.mask("test")].mean(), batch_size=1)

    def predict_step(self, batch, batch_idx):
        return self.layer(batch.x).argmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _trainer(tmp_path: Path, **arguments) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **arguments,
    )


# Lightning's own use of torch, with any loader.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.filterwarnings("error")
def test_every_stage_runs_without_a_warning(graph, tmp_path):
    model, data = Linear(), GraphDataModule.from_graph(graph, steps_per_epoch=4)
    trainer = _trainer(tmp_path)
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == len(model.seen) == 12
    assert all(batch is graph for batch in model.seen)
    trainer.validate(model, datamodule=data, verbose=False)
    trainer.test(model, datamodule=data, verbose=False)
    (prediction,) = trainer.predict(model, datamodule=data)
    assert prediction.shape == (12,)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_the_split_is_kept_and_a_leak_refused(graph, tensors, tmp_path):
    trainer = _trainer(tmp_path)
    trainer.fit(Linear(), datamodule=GraphDataModule.from_graph(graph))
    checkpoint = trainer.checkpoint_callback.best_model_path
    again = GraphDataModule.from_graph(graph)
    trainer.test(Linear(), datamodule=again, ckpt_path=checkpoint, weights_only=True, verbose=False)
    nodes = torch.arange(12)
    moved = tensors(train_mask=nodes >= 9, val_mask=nodes < 2, test_mask=nodes == 5)
    other = GraphDataModule.from_graph(GraphBatch.from_tensors(**moved))
    with pytest.raises(GraphDataError, match=r"trained on 3 nodes that are now .* is node 0"):
        trainer.test(Linear(), datamodule=other, ckpt_path=checkpoint, weights_only=True)


def test_another_graph_is_not_compared_with_a_checkpoint(graph):
    digits = GraphDataModule("digits")
    assert digits.state_dict() == {}
    digits.setup()
    digits.load_state_dict(GraphDataModule.from_graph(graph).state_dict())


def test_the_train_loader_repeats_the_graph_and_the_others_do_not(graph):
    data = GraphDataModule.from_graph(graph, steps_per_epoch=7)
    assert [batch is graph for batch in data.train_dataloader()] == [True] * 7
    assert len(data.train_dataloader()) == 7
    for loader in (data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        assert list(loader) == [graph]
        assert len(loader) == 1
        assert list(loader) == [graph]


def test_an_epoch_costs_next_to_nothing(graph):
    loader = GraphDataModule.from_graph(graph).train_dataloader()
    seconds = min(timeit.repeat(lambda: list(loader), number=1000, repeat=3)) / 1000
    assert seconds < 1e-4


def test_the_graph_is_moved_once(graph):
    data = GraphDataModule.from_graph(graph)
    meta, cpu = torch.device("meta"), torch.device("cpu")
    first = data.transfer_batch_to_device(graph, meta, 0)
    assert first.device == meta
    assert data.transfer_batch_to_device(graph, meta, 0) is first
    assert data.transfer_batch_to_device(graph, cpu, 0) is graph
    other = torch.zeros(2)
    assert data.transfer_batch_to_device(other, meta, 0).device == meta


def test_several_devices_are_refused_with_what_helps(graph):
    data = GraphDataModule.from_graph(graph)
    data.trainer = types.SimpleNamespace(world_size=4, global_rank=0)
    with pytest.raises(OptionError, match="on 4 devices would train 4 identical copies") as error:
        data.setup("fit")
    assert "set trainer.devices to 1" in str(error.value)
    assert "seeds" in str(error.value)
    data.trainer = types.SimpleNamespace(world_size=1, global_rank=0)
    data.setup("fit")


def test_nothing_is_known_before_setup_and_setup_runs_once():
    data = GraphDataModule("digits")
    for name in ("graph", "num_nodes", "num_features", "num_classes"):
        with pytest.raises(RuntimeError, match=r"\(digits\) is not loaded yet: call prepare_data"):
            getattr(data, name)
    with pytest.raises(RuntimeError, match="not loaded yet"):
        data.train_dataloader()
    data.setup("fit")
    graph = data.graph
    data.prepare_data()
    data.setup("test")
    assert data.graph is graph


def test_the_split_seed_decides_the_random_split():
    def masks(seed: int) -> torch.Tensor:
        data = GraphDataModule("block_model", split="random", split_seed=seed)
        data.setup()
        return data.graph.train_mask

    torch.manual_seed(0)
    first = masks(0)
    torch.manual_seed(1)
    assert torch.equal(masks(0), first)
    assert not torch.equal(masks(1), first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "cora"}, "source must be one of digits, planetoid, .*npz, npy, got 'cora'"),
        ({"split": "full"}, "split must be 'public' or 'random', got 'full'"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be from 1 to 10,000, got 0"),
        ({"root": "mine"}, "data.root is mine, but the source digits reads no files"),
        ({"steps_per_epoch": 10_001}, "from 1 to 10,000, got 10001"),
        ({"source": "power_law", "homophily": 2.0}, r"homophily must be in \[0, 1\], got 2.0"),
    ],
)
def test_wrong_arguments_are_refused_when_made(arguments, message):
    with pytest.raises(GraphDataError, match=message):
        GraphDataModule(**arguments)


def test_a_random_graph_has_no_public_split():
    with pytest.raises(GraphDataError, match="block_model has no public split"):
        GraphDataModule("block_model").setup()


@pytest.mark.parametrize("config", _CONFIGS, ids=lambda path: path.stem)
def test_configs_make_a_data_module(config):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(GraphDataModule, "data")
    parsed = parser.parse_path(config)
    assert isinstance(parser.instantiate(parsed).data, GraphDataModule)


@pytest.mark.parametrize("name", ["digits", "block_model"])
def test_configs_that_need_no_file_load(name):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(GraphDataModule, "data")
    (config,) = [path for path in _CONFIGS if path.stem == name]
    data = parser.instantiate(parser.parse_path(config)).data
    data.setup()
    assert data.num_nodes > 1000
