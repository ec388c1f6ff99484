"""The interface of the callbacks that look at the network from time to time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from qgnn_lightning.data import GraphBatch
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import GraphNetwork, PropagatingNetwork, Propagation


@dataclass(frozen=True, eq=False)
class Subject:
    """What an observer looks at.

    Args:
        network: The network, in evaluation mode.
        batch: The first validation batch.
    """

    network: GraphNetwork
    batch: GraphBatch

    @property
    def adjacency(self) -> Adjacency:
        """The graph."""
        return self.batch.adjacency

    @property
    def has_propagation(self) -> bool:
        """Whether the network has a quantized propagation; most baselines have none."""
        return isinstance(self.network, PropagatingNetwork)

    @property
    def propagation(self) -> Propagation:
        """The propagation of a network that has one."""
        return self._propagating.propagation

    @cached_property
    def start(self) -> Tensor:
        """What the propagation starts from: ``(num_nodes, num_classes or hidden_features)``."""
        return self._propagating.propagation_input(self.batch.x)

    @property
    def _propagating(self) -> PropagatingNetwork:
        if not isinstance(self.network, PropagatingNetwork):
            raise TypeError(f"{type(self.network).__name__} has no quantized propagation")
        return self.network


class Observer(Callback, ABC):
    """Looks at the network on the first validation batch, and once more after the training.

    Only process zero looks, and it waits for nobody. Nothing is written to the network and no
    random number is drawn: the training is bit for bit the one without observers.

    Args:
        every_n_epochs: Training epochs between two looks, at least 1; ``None`` looks only
            after the training.

    Raises:
        ValueError: If ``every_n_epochs`` is below 1.
    """

    def __init__(self, every_n_epochs: int | None) -> None:
        super().__init__()
        if every_n_epochs is not None and every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be at least 1, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs
        self._forget()

    def _forget(self) -> None:
        self._batch: GraphBatch | None = None
        self._next_epoch: float = math.inf if self.every_n_epochs is None else 0
        self._last_step = -1

    @abstractmethod
    def observe(self, trainer: Trainer, subject: Subject) -> None:
        """Measure and write.

        Args:
            trainer: The trainer.
            subject: What to look at.
        """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be observed.

        Raises:
            TypeError: If the module is not a :class:`NodeClassifier`.
        """
        if stage == "fit":
            self._forget()
        if not isinstance(pl_module, NodeClassifier):
            raise TypeError(
                f"{type(self).__name__} observes a NodeClassifier, got {type(pl_module).__name__}"
            )

    def state_dict(self) -> dict[str, Any]:
        return {"next_epoch": self._next_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Look in the same epochs as a run that was not broken off.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        self._next_epoch = float(state_dict["next_epoch"])

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        if batch_idx or dataloader_idx or not trainer.is_global_zero:
            return
        self._batch = batch
        if self.every_n_epochs is not None and trainer.current_epoch >= self._next_epoch:
            self._next_epoch = trainer.current_epoch + self.every_n_epochs
            self._look(trainer, pl_module, batch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._batch is not None and self._last_step != trainer.global_step:
            self._look(trainer, pl_module, self._batch)
        self._forget()

    def _look(self, trainer: Trainer, pl_module: LightningModule, batch: GraphBatch) -> None:
        assert isinstance(pl_module, NodeClassifier)
        self._last_step = trainer.global_step
        with _observing(pl_module.network):
            self.observe(trainer, Subject(pl_module.network, batch))


@contextmanager
def _observing(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, undone afterwards.

    Not torch's inference mode: what the graph caches here, the training reads later.
    """
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
