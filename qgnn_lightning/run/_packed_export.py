"""The packed network of a run, written when its training ends."""

from __future__ import annotations

import copy
import os
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from qgnn_lightning.deploy import check_packable, freeze, save_packed
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run._checkpoint_files import read_checkpoint
from qgnn_lightning.run._checkpoints import BestCheckpoint

_NETWORK = "network."


class PackedExport(Callback):
    """Packs the best epoch at the end of the training.

    Args:
        path: The file, ends in ``.safetensors``.
        best: The callback that keeps the best epoch.

    Raises:
        ValueError: If the name or the folder of the file cannot be used.
    """

    def __init__(self, path: Path, best: BestCheckpoint) -> None:
        super().__init__()
        if path.suffix != ".safetensors":
            raise ValueError(f"export must end in .safetensors, got {path.name!r}")
        if not path.parent.is_dir():
            raise ValueError(f"export: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise ValueError(f"export: the folder {path.parent} cannot be written to")
        self.path = path
        self.best = best

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse before the training a network that cannot be packed.

        Raises:
            ValueError: If it cannot be packed.
        """
        assert isinstance(pl_module, NodeClassifier)
        check_packable(pl_module.network)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not (self.best.found and trainer.is_global_zero):
            return
        assert isinstance(pl_module, NodeClassifier)
        state = read_checkpoint(self.best.path)["state_dict"]
        network = copy.deepcopy(pl_module.network).cpu().eval()
        network.load_state_dict(
            {
                name.removeprefix(_NETWORK): tensor
                for name, tensor in state.items()
                if name.startswith(_NETWORK)
            }
        )
        save_packed(freeze(network), self.path)
