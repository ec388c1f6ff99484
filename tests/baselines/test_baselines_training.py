"""Baselines in the harness: trained, observed, stored, and refused where they cannot go on."""

from __future__ import annotations

import json
import math
import sys

import pytest
import torch
from lightning.pytorch import Trainer

from qgnn_lightning.callbacks import (
    ConstraintMonitor,
    Figures,
    Histograms,
    Oversmoothing,
    QuantizationError,
    TensorBoardLayout,
)
from qgnn_lightning.cli import main
from qgnn_lightning.data import GraphBatch, GraphDataModule
from qgnn_lightning.graph import dirichlet_energy
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import float32_size, packed_size

SMALL = [
    "--data.source=block_model", "--data.num_nodes=60", "--data.num_edges=150",
    "--data.num_features=8", "--data.num_classes=3", "--data.split=random",
    "--data.num_train_per_class=5", "--data.num_val=15", "--data.num_test=20",
    "--model.hidden_features=8", "--model.num_steps=3", "--trainer.accelerator=cpu",
    "--trainer.max_epochs=3",
]  # fmt: skip
every = pytest.mark.parametrize(
    ("architecture", "bits"),
    [
        ("gcn", "float32"), ("gcn", "int4"), ("gcnii", "float32"), ("appnp", "float32"),
        ("appnp", "int4"), ("sgc", "float32"), ("sgc", "int4"), ("elastic", "float32"),
    ],
)  # fmt: skip


@pytest.fixture
def graph() -> GraphBatch:
    nodes = torch.arange(40)
    both = torch.cat([nodes, (nodes + 1) % 40])
    x = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) + torch.eye(6)[nodes % 3]
    edges = torch.stack([both, both.roll(40)])
    return GraphBatch.from_tensors(x, edges, nodes % 3, nodes < 14, nodes // 14 == 1, nodes > 27)


def trainer(*callbacks, **options) -> Trainer:
    settings = {
        "max_epochs": 3, "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0,
    }  # fmt: skip
    return Trainer(callbacks=list(callbacks), **settings | options)


@every
def test_a_run_from_fit_to_export(monkeypatch, tmp_path, capsys, architecture, bits):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["qgnn"])
    torch.set_num_threads(1)
    model = [f"--model.architecture={architecture}", f"--model.bits={bits}"]
    assert main(["fit", *SMALL, *model]) == 0
    (run,) = (tmp_path / "runs").glob("*/*")
    assert run.parent.name == f"block_model_{architecture}_{bits}"
    results = json.loads((run / "results.json").read_text())
    assert results["architecture"] == architecture
    assert results["num_steps"] == 3
    lines = [json.loads(line) for line in (run / "diagnostics.jsonl").read_text().splitlines()]
    energy = [line for line in lines if line["tag"] == "dirichlet_energy/symmetric"]
    assert {line["first"] for line in energy} == {0}
    assert all(len(line["values"]) == 4 and None not in line["values"] for line in energy)
    messages = {line["tag"] for line in lines} & {"message/scale", "constraint/energy_of_change"}
    assert len(messages) == (2 if bits == "int4" and architecture in ("appnp", "sgc") else 0)

    best = str(run / "checkpoints" / "best.ckpt")
    assert main(["test", *SMALL[:-1], *model, "--ckpt_path", best]) == 0
    assert main(["predict", *SMALL[:-1], *model, "--ckpt_path", best]) == 0
    assert main(["info", best]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any(row[:2] == ["in", "all"] for row in rows)
    code = main(["export", best, "-o", "m.safetensors"])
    error = capsys.readouterr().err
    if (architecture, bits) == ("appnp", "int4"):
        assert code == 0
        assert main(["predict", *SMALL[:9], "--packed", "m.safetensors"]) == 0
        return
    assert code == 2
    assert error.count("\n") == 1
    assert f"architecture '{architecture}'" in error
    assert "cannot be packed" in error


@every
def test_all_observers_look_on(graph, tmp_path, caplog, architecture, bits):
    from lightning.pytorch.loggers import TensorBoardLogger

    observers = [
        Oversmoothing(1), QuantizationError(1), ConstraintMonitor(1), Histograms(1), Figures(),
        TensorBoardLayout(),
    ]  # fmt: skip
    logger = TensorBoardLogger(str(tmp_path), default_hp_metric=False)
    model = NodeClassifier(architecture=architecture, bits=bits, num_steps=3, hidden_features=4)
    with caplog.at_level("INFO"):
        trainer(*observers, logger=logger, log_every_n_steps=1).fit(
            model, GraphDataModule.from_graph(graph)
        )
    lines = (tmp_path / "lightning_logs" / "version_0" / "diagnostics.jsonl").read_text()
    last = [json.loads(line) for line in lines.splitlines()]
    found = [line for line in last if line["tag"] == "dirichlet_energy/symmetric"][-1]["values"]
    with torch.no_grad():
        states = list(model.eval().network.representations(graph.x, graph.adjacency))
        expected = [float(dirichlet_energy(graph.adjacency, h)) for h in states]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert all(map(math.isfinite, found))
    skipped = "has no quantized propagation, nothing is recorded" in caplog.text
    assert skipped == (architecture not in ("appnp", "sgc") or bits == "float32")
    assert (tmp_path / "lightning_logs" / "version_0" / "figures" / "smoothness.png").is_file()


@every
def test_observers_change_nothing(graph, architecture, bits):
    states = []
    for observers in ([], [Oversmoothing(1), QuantizationError(1), ConstraintMonitor(1)]):
        torch.manual_seed(0)
        model = NodeClassifier(architecture=architecture, bits=bits, num_steps=3, hidden_features=4)
        trainer(*observers).fit(model, GraphDataModule.from_graph(graph))
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def built(**options) -> NodeClassifier:
    return NodeClassifier(num_features=6, num_classes=3, hidden_features=4, num_steps=3, **options)


def test_parts_have_a_weight_decay_of_their_own():
    model = built(
        architecture="gcnii", bits="float32", weight_decay=0.1,
        part_weight_decay={"convs": 0.2, "convs.1": 0.3, "classifier": 0.0},
    )  # fmt: skip
    decay = {
        id(parameter): group["weight_decay"]
        for group in model.configure_optimizers().param_groups
        for parameter in group["params"]
    }
    found = {name: decay[id(parameter)] for name, parameter in model.network.named_parameters()}
    assert found == {
        "encoder.weight": 0.1, "encoder.bias": 0.1, "convs.0.weight1": 0.2,
        "convs.1.weight1": 0.3, "convs.2.weight1": 0.2,
        "classifier.weight": 0.0, "classifier.bias": 0.0,
    }  # fmt: skip


def test_without_parts_the_groups_are_the_two_of_ever():
    groups = built(quantizer="lsq").configure_optimizers().param_groups
    assert [group["name"] for group in groups] == ["weights", "ranges"]
    # Steps of the hidden features and of each step's two messages; ranges of x and two weights.
    assert len(groups[1]["params"]) == 1 + 2 * 3 + 3
    assert [group["weight_decay"] for group in groups] == [5e-4, 0]


def test_a_part_that_does_not_exist():
    model = built(architecture="gcn", bits="float32", part_weight_decay={"convs": 0.1})
    with pytest.raises(
        ValueError, match=r"must name parts of the network \(first, later\).*'convs'"
    ):
        model.configure_optimizers()
    with pytest.raises(ValueError, match="part_weight_decay must be at least 0 for each part"):
        built(part_weight_decay={"encoder": -1.0})


def test_size_of_a_quantized_gcn_by_hand():
    quantized = built(architecture="gcn", bits="int4").network
    full = 4 * (6 * 4 + 4 + 4 * 4 + 4 + 4 * 3 + 3)
    assert float32_size(quantized) == full
    assert float32_size(built(architecture="gcn", bits="float32").network) == full
    # Rows of weights in whole bytes, biases in full, a grid per row, per input and per message.
    rows = 4 * 3 + 4 * 2 + 3 * 2
    assert packed_size(quantized) == rows + 4 * (4 + 4 + 3) + 8 * ((4 + 4 + 3) + 3 + 3)


def test_a_checkpoint_of_an_earlier_version_is_read(tmp_path):
    """It has none of the arguments of the baselines."""
    from qgnn_lightning.cli._agreement import check_agreement
    from qgnn_lightning.cli._stored_arguments import model_arguments

    model = built()
    stored = {
        name: value
        for name, value in model.hparams.items()
        if name not in ("architecture", "residual", "identity_mapping", "sparsity")
    }
    arguments = model_arguments({"hyper_parameters": stored}, "checkpoint")
    NodeClassifier(**arguments).load_state_dict(model.state_dict())
    check_agreement(arguments, {"architecture": "decoupled"})
