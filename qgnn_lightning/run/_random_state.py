"""The state of all random generators, so that a continued run draws the same numbers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from qgnn_lightning.run._checkpoint_files import CheckpointError


class RandomState(Callback):
    """Keeps the state of the generators of Python, NumPy, torch and CUDA in the checkpoint.

    Plain lists and tensors only, which ``torch.load(weights_only=True)`` reads. It is the last of
    what a continued run restores.
    """

    def __init__(self) -> None:
        super().__init__()
        self._restored: dict[str, Any] | None = None
        self.in_use = False
        """Whether a first step was done with everything that was restored."""

    def state_dict(self) -> dict[str, Any]:
        return collect()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Only now: what Lightning prepares before may draw numbers itself.
        if self._restored is not None:
            restore(self._restored)
            self._restored = None

    def on_train_batch_end(self, *args: Any) -> None:
        self.in_use = True


def collect() -> dict[str, Any]:
    """State of all generators, as plain values."""
    version, internal, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": [version, list(internal), gauss],
        "numpy": [str(name), np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(state: dict[str, Any]) -> None:
    """Set all generators.

    Args:
        state: What :func:`collect` gave.

    Raises:
        CheckpointError: If it is anything else.
    """
    try:
        _set_all(state)
    except Exception as error:  # of three libraries, about anything
        raise CheckpointError("the state of its random generators is damaged") from error


def _set_all(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
