"""Removing every callback leaves the training bit for bit the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from small_runs import Train, small_graph

from qgnn_lightning.callbacks import (
    ConstraintMonitor,
    Figures,
    Histograms,
    Oversmoothing,
    QuantizationError,
    TensorBoardLayout,
)
from qgnn_lightning.callbacks._observer import Observer, Subject
from qgnn_lightning.data import GraphDataModule


def all_callbacks() -> list[Callback]:
    observers = [cls(every_n_epochs=1) for cls in (Oversmoothing, QuantizationError)]
    return [
        *observers,
        ConstraintMonitor(every_n_epochs=1),
        Histograms(every_n_epochs=1),
        TensorBoardLayout(),
        Figures(),
    ]


@pytest.mark.parametrize("messages", ["direct", "delta_sigma"])
@pytest.mark.parametrize("propagation", ["smoothness_aware", "unrolled_multiplier"])
def test_trained_weights_are_bit_identical_without_callbacks(
    train: Train, propagation: str, messages: str
) -> None:
    options = {"propagation": propagation, "messages": messages, "budget": 1e-4}
    _, watched = train(*all_callbacks(), **options)
    _, alone = train(logger=False, **options)
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, watched.state_dict()[name]), name


class _Around(Callback):
    """State of the module and of the random numbers before or after an observer's hook."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, torch.Tensor], torch.Tensor, list[bool]]] = []

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: object
    ) -> None:
        state = {name: tensor.clone() for name, tensor in pl_module.state_dict().items()}
        modes = [module.training for module in pl_module.modules()]
        self.seen.append((state, torch.get_rng_state(), modes))


def test_a_look_writes_nothing_and_draws_nothing(train: Train) -> None:
    before, after = _Around(), _Around()
    train(before, *all_callbacks(), after, epochs=2, budget=1e-4)
    assert len(before.seen) == 2
    for (state, rng, modes), (new_state, new_rng, new_modes) in zip(
        before.seen, after.seen, strict=True
    ):
        assert torch.equal(rng, new_rng)
        assert modes == new_modes
        for name, tensor in state.items():
            assert torch.equal(tensor, new_state[name]), name


class _Counter(Observer):
    def __init__(self, every_n_epochs: int | None) -> None:
        super().__init__(every_n_epochs)
        self.steps: list[int] = []

    def observe(self, trainer: Trainer, subject: Subject) -> None:
        assert not subject.network.training
        assert not torch.is_grad_enabled()
        assert not subject.start.is_inference()
        self.steps.append(trainer.global_step)


@pytest.mark.parametrize(
    ("every_n_epochs", "options", "steps"),
    [
        (1, {}, [1, 2, 3, 4, 5, 6, 7]),
        (3, {}, [1, 4, 7]),
        (5, {}, [1, 6, 7]),
        (None, {}, [7]),
        (1, {"check_val_every_n_epoch": 3}, [3, 6, 7]),
        (2, {"max_steps": 4}, [1, 3, 4]),
        (1, {"limit_val_batches": 0}, []),
    ],
)
def test_looks_every_n_epochs_and_after_the_training(
    train: Train, every_n_epochs: int | None, options: dict[str, int], steps: list[int]
) -> None:
    counter = _Counter(every_n_epochs)
    train(counter, epochs=7, logger=False, trainer_options=options)
    assert counter.steps == steps


def test_sanity_check_is_not_observed(train: Train) -> None:
    counter = _Counter(1)
    train(
        counter, epochs=2, logger=False, bits="float32", trainer_options={"num_sanity_val_steps": 1}
    )
    assert counter.steps == [1, 2]


def test_validation_alone_is_not_observed(train: Train) -> None:
    counter = _Counter(1)
    trainer, model = train(counter, epochs=1, logger=False)
    trainer.validate(model, GraphDataModule.from_graph(small_graph()), verbose=False)
    assert counter.steps == [1]


def test_training_mode_is_restored_after_the_training(train: Train) -> None:
    _, model = train(Figures(), _Counter(None), epochs=1)
    assert all(module.training for module in model.network.modules())


@pytest.mark.parametrize("logger", [False, "csv"])
def test_other_loggers_work(train: Train, tmp_path: Path, logger: object) -> None:
    csv = CSVLogger(str(tmp_path), name="csv")
    train(*all_callbacks(), epochs=2, logger=csv if logger == "csv" else False)
    if logger == "csv":
        header = (Path(csv.log_dir) / "metrics.csv").read_text().splitlines()[0]
        assert "quantization_error/sharp/step_004" in header


def test_fast_dev_run_leaves_no_files(train: Train, tmp_path: Path) -> None:
    train(*all_callbacks(), trainer_options={"fast_dev_run": True})
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("cls", [Oversmoothing, QuantizationError, ConstraintMonitor, Histograms])
def test_every_n_epochs_is_checked(cls: type[Observer]) -> None:
    with pytest.raises(ValueError, match="every_n_epochs must be at least 1, got 0"):
        cls(every_n_epochs=0)


def test_other_modules_are_refused() -> None:
    with pytest.raises(TypeError, match="Oversmoothing observes a NodeClassifier, got Lightning"):
        Oversmoothing().setup(Trainer(logger=False), LightningModule(), "fit")
