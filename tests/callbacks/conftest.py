"""Short trainings on a small graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import TensorBoardLogger
from small_runs import Train, small_graph

from qgnn_lightning.data import GraphBatch, GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Trains on the small graph with some callbacks."""

    def run(
        *callbacks: Callback,
        epochs: int = 3,
        logger: Any = None,
        graph: GraphBatch | None = None,
        trainer_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> tuple[Trainer, NodeClassifier]:
        seed_everything(0, verbose=False)
        if logger is None:
            logger = TensorBoardLogger(str(tmp_path), name="run", default_hp_metric=False)
        model = NodeClassifier(**{"hidden_features": 8, "num_steps": 4} | options)
        settings: dict[str, Any] = {
            "max_epochs": epochs,
            "logger": logger,
            "callbacks": list(callbacks),
            "accelerator": "cpu",
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path,
        }
        trainer = Trainer(**settings | (trainer_options or {}))
        trainer.fit(model, GraphDataModule.from_graph(graph or small_graph()))
        return trainer, model

    return run
