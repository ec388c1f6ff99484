"""Train in two processes and write what each of them holds; started by the tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier


class Notes(Callback):
    """Collects the training nodes of every epoch."""

    def __init__(self) -> None:
        self.epochs: list[list[int]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs.append([])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.epochs[-1] += batch.node_ids[batch.train_mask].tolist()


def main(folder: Path, quantizer: str, devices: int) -> None:
    """Train, test, and write ``rank_N.pt``."""
    torch.manual_seed(3)
    data = GraphDataModule(
        "block_model",
        num_nodes=240,
        num_edges=900,
        num_features=8,
        num_classes=3,
        split="random",
        num_train_per_class=20,
        num_val=60,
        num_test=90,
        batching="partitions",
        num_partitions=8,
        partitions_per_batch=2,
        partitioner="random",
        cache_dir=str(folder / "cache"),
    )
    notes = Notes()
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp",
        max_epochs=5,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[notes],
    )
    # A tight budget: multipliers rise, and the second messages come into use.
    model = NodeClassifier(
        hidden_features=8, num_steps=3, quantizer=quantizer, budget=1e-3, learning_rate=0.02
    )
    trainer.fit(model, datamodule=data)
    (test,) = trainer.test(model, datamodule=data, verbose=False)
    with torch.no_grad():
        graph = data.graph
        right = model.eval()(graph.x, graph.adjacency).argmax(1) == graph.y
    found = {
        "state": {name: value.clone() for name, value in model.state_dict().items()},
        "epochs": notes.epochs,
        "train_nodes": graph.train_mask.nonzero().flatten().tolist(),
        "test": test,
        "validation": float(trainer.callback_metrics.get("val/accuracy", torch.nan)),
        "alone": float(right[graph.test_mask].double().mean()),
    }
    torch.save(found, folder / f"rank_{trainer.global_rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
