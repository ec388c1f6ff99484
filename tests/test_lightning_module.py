"""The LightningModule: what a step does, and what a checkpoint holds."""

from __future__ import annotations

import io
import sys

import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional

from qgnn_lightning.data import GraphBatch, GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.objectives import NonFiniteError

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:.*(LeafSpec|treespec):FutureWarning"),  # Lightning's own
]
_SMALL = {"hidden_features": 4, "num_steps": 3, "dropout": 0.0}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def batch() -> GraphBatch:
    nodes = torch.arange(30)
    both = torch.cat([nodes, (nodes + 1) % 30])
    return GraphBatch.from_tensors(
        x=torch.rand(30, 5),
        edge_index=torch.stack([both, both.roll(30)]),
        y=nodes % 3,
        train_mask=nodes < 12,
        val_mask=(nodes >= 12) & (nodes < 20),
        test_mask=nodes >= 20,
    )


@pytest.fixture
def data(batch) -> GraphDataModule:
    return GraphDataModule.from_graph(batch)


def _trainer(max_epochs: int = 1, **options) -> Trainer:
    return Trainer(
        accelerator="cpu", devices=1, max_epochs=max_epochs, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, **options,
    )  # fmt: skip


def _model(**options) -> NodeClassifier:
    return NodeClassifier(**{**_SMALL, **options})


def _built(**options) -> NodeClassifier:
    return _model(num_features=5, num_classes=3, **options)


@pytest.mark.parametrize("bits", ["float32", "int8", "int4", "int2", "int2-paper"])
@pytest.mark.parametrize("quantizer", ["learned_range", "least_squares", "bitwise_truncation"])
def test_every_parameter_is_trained_and_ranges_do_not_decay(bits, quantizer):
    model = _built(bits=bits, quantizer=quantizer, learning_rate=0.3, range_learning_rate=0.7)
    groups = {group["name"]: group for group in model.configure_optimizers().param_groups}
    trained = [id(parameter) for group in groups.values() for parameter in group["params"]]
    assert sorted(trained) == sorted(id(parameter) for parameter in model.network.parameters())
    alphas = [p for name, p in model.named_parameters() if name.endswith(".alpha")]
    assert ("ranges" in groups) == bool(alphas)
    assert (groups["weights"]["lr"], groups["weights"]["weight_decay"]) == (0.3, 5e-4)
    if alphas:
        assert [id(p) for p in groups["ranges"]["params"]] == [id(p) for p in alphas]
        assert (groups["ranges"]["lr"], groups["ranges"]["weight_decay"]) == (0.7, 0)


def test_the_learning_rate_decays_in_steps():
    options = _built(lr_decay=0.5, lr_decay_every=7).configure_optimizers()
    schedule = options["lr_scheduler"]
    assert (schedule.gamma, schedule.step_size) == (0.5, 7)


def test_sizes_come_from_the_data_and_go_into_the_checkpoint(data, tmp_path):
    model, trainer = _model(), _trainer()
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert (model.hparams["num_features"], model.hparams["num_classes"]) == (5, 3)
    loaded = NodeClassifier.load_from_checkpoint(tmp_path / "a.ckpt", map_location="cpu")
    assert loaded.hparams == model.hparams
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


@pytest.mark.parametrize("given", [{"num_features": 7}, {"num_classes": 4}])
def test_sizes_that_contradict_the_data_are_an_error(data, given):
    sizes = {"num_features": 5, "num_classes": 3} | given
    (name, value), found = *given.items(), {"num_features": 5, "num_classes": 3}
    with pytest.raises(ValueError, match=f"{name} is {value} in the model but {found[name]} in"):
        _trainer().fit(_model(**sizes), datamodule=data)


def test_without_a_data_module_sizes_are_needed(batch):
    model = _model()
    with pytest.raises(ValueError, match="num_features and num_classes must be given"):
        _trainer().fit(model, train_dataloaders=[batch], val_dataloaders=[batch])


def test_the_loss_is_the_cross_entropy_of_the_training_nodes(data, batch):
    model, trainer = _built(bits="float32"), _trainer()
    with torch.no_grad():
        scores = model(batch.x, batch.adjacency)
    train = batch.train_mask
    loss = functional.cross_entropy(scores[train], batch.y[train])
    accuracy = (scores[train].argmax(1) == batch.y[train]).float().mean()
    trainer.fit(model, datamodule=data)
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(loss.item(), rel=1e-6)
    assert trainer.callback_metrics["train/accuracy"].item() == pytest.approx(accuracy.item())


def test_metrics_of_each_stage_are_on_its_own_nodes(data, batch):
    model, trainer = _built(bits="float32"), _trainer()
    with torch.no_grad():
        correct = model(batch.x, batch.adjacency).argmax(1) == batch.y
    (found,) = trainer.validate(model, datamodule=data, verbose=False)
    assert found["val/accuracy"] == pytest.approx(correct[batch.val_mask].double().mean().item())
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    assert found["test/accuracy"] == pytest.approx(correct[batch.test_mask].double().mean().item())


_QUANTIZERS = ["least_squares", "learned_range", "min_max", "lsq", "degree_quant"]
_QUANTIZERS += ["bitwise_truncation", "skewness_truncation"]


@pytest.mark.parametrize("quantizer", _QUANTIZERS)
def test_mixed_precision_trains_and_leaves_the_state_in_float32(data, quantizer):
    full, mixed = (_model(quantizer=quantizer, weight_quantizer=quantizer) for _ in range(2))
    for model, precision in ((full, "32-true"), (mixed, "bf16-mixed")):
        torch.manual_seed(0)
        _trainer(3, precision=precision).fit(model, datamodule=data)
    pairs = [(one, mixed.state_dict()[name]) for name, one in full.state_dict().items()]
    assert all(one.dtype == other.dtype for one, other in pairs)
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    assert all(bool(other.isfinite().all()) for _, other in floats)
    assert any(not torch.equal(*pair) for pair in floats)


def test_evaluation_is_exact_in_mixed_precision(data, batch):
    model = _model(hidden_features=64)
    trainer = _trainer(2, precision="bf16-mixed")
    trainer.fit(model, datamodule=data)
    expected = model.eval()(batch.x, batch.adjacency)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(batch.x, batch.adjacency), expected)


def test_multipliers_ascend_once_per_optimizer_step_by_the_measured_violation(batch):
    steps = 4
    model = _built(bits="float32", budget=1e-9, budget_unit="per_edge", dual_step_size=1e-3)
    seen = []

    def ascend(violation):
        seen.append(violation.clone())
        original(violation)

    multipliers = model.network.propagation.multipliers
    original, multipliers.ascend = multipliers.ascend, ascend
    data = GraphDataModule.from_graph(batch, steps_per_epoch=steps)
    _trainer().fit(model, datamodule=data)
    assert len(seen) == steps
    assert all(bool((violation > 0).all()) for violation in seen)
    expected = (1e-3 * torch.stack(seen).cumsum(0)[-1]).clamp(0, multipliers.upper)
    torch.testing.assert_close(multipliers.value, expected)


def test_evaluation_raises_no_multiplier(data):
    model, trainer = _model(budget=1e-6), _trainer()
    trainer.fit(model, datamodule=data)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer.validate(model, datamodule=data, verbose=False)
    trainer.test(model, datamodule=data, verbose=False)
    trainer.predict(model, datamodule=data)
    for name, value in model.state_dict().items():
        assert torch.equal(before[name], value), name


def test_predictions_are_the_likeliest_classes(data, batch):
    model, trainer = _model(), _trainer()
    trainer.fit(model, datamodule=data)
    (prediction,) = trainer.predict(model, datamodule=data)
    with torch.no_grad():
        likely = model.eval()(batch.x, batch.adjacency).softmax(1)
    assert torch.equal(prediction.node_ids, torch.arange(30))
    assert torch.equal(prediction.probabilities.argmax(1), likely.argmax(1))
    torch.testing.assert_close(prediction.probabilities, likely)


def test_the_first_bad_layer_is_named(batch):
    model = _built(bits="float32")
    with torch.no_grad():
        model.network.classifier.weight[0, 0] = torch.nan
    message = r"loss is nan in step 0: the first bad layer is network\.classifier\.weight"
    with pytest.raises(NonFiniteError, match=message):
        _trainer().fit(model, datamodule=GraphDataModule.from_graph(batch))


def test_infinite_scores_of_a_finite_network_are_reported(batch):
    model = _built(bits="float32")
    with torch.no_grad():
        model.network.encoder.weight.fill_(1e20)
        model.network.classifier.weight[0].fill_(1e38)
    with pytest.raises(NonFiniteError, match="every weight and range is finite: check the feat"):
        _trainer().fit(model, datamodule=GraphDataModule.from_graph(batch))


def test_a_teacher_is_learned_and_not_a_part_of_the_student(data, batch, tmp_path):
    teacher, trainer = _model(bits="float32"), _trainer()
    trainer.fit(teacher, datamodule=data)
    trainer.save_checkpoint(tmp_path / "teacher.ckpt")
    student = _built(
        bits="float32", teacher_ckpt=str(tmp_path / "teacher.ckpt"), distillation_weight=1.0,
        temperature=3.0, weight_decay=0.0,
    )  # fmt: skip
    before = {name: value.clone() for name, value in teacher.state_dict().items()}

    def divergence() -> float:
        with torch.no_grad():
            target = (teacher.eval()(batch.x, batch.adjacency) / 3).softmax(1)
            found = (student.eval()(batch.x, batch.adjacency) / 3).softmax(1)
        student.train()
        return float((target * (target.log() - found.log())).sum(1).mean())

    at_first = divergence()
    _trainer(100).fit(student, datamodule=data)
    assert divergence() < 0.5 * at_first
    assert not any("teacher" in name for name in student.state_dict())
    (used,) = student._teacher
    for name, value in before.items():
        assert torch.equal(used.state_dict()[name], value), name


def test_a_teacher_that_is_none_is_an_error(data, tmp_path):
    (tmp_path / "text.ckpt").write_text("hello")
    for name in ("none.ckpt", "text.ckpt"):
        model = _model(teacher_ckpt=str(tmp_path / name))
        with pytest.raises(ValueError, match=rf"teacher_ckpt must be a .*{name} is none"):
            _trainer().fit(model, datamodule=data)


def test_a_checkpoint_that_names_a_module_imports_nothing(data, tmp_path):
    model, trainer = _model(), _trainer()
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    crafted = torch.load(tmp_path / "a.ckpt", weights_only=True)
    crafted["hyper_parameters"]["_instantiator"] = "antigravity.fly"
    buffer = io.BytesIO()
    torch.save(crafted, buffer)
    buffer.seek(0)
    with pytest.raises(ValueError, match="not in the allowlist"):
        NodeClassifier.load_from_checkpoint(buffer, weights_only=True)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("learning_rate", 0, "positive"),
        ("weight_decay", -1, "at least 0"),
        ("range_learning_rate", -1, "at least 0"),
        ("lr_decay", 0, r"in \(0, 1\]"),
        ("lr_decay_every", 0, "at least 1"),
        ("distillation_weight", 2, r"in \[0, 1\]"),
        ("temperature", 0, "positive"),
    ],
)
def test_arguments_out_of_range_are_named(argument, value, rule):
    with pytest.raises(ValueError, match=f"{argument} must be {rule}, got {value}"):
        _model(**{argument: value})
