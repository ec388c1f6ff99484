"""The packed network of a run, written when its results are."""

from __future__ import annotations

import copy
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from qgnn_lightning.data import GraphNames
from qgnn_lightning.deploy import PackedGNN, check_packable, freeze, save_packed
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import GraphNetwork


class PackedExport(Callback):
    """Sees to it before the training that the network can be packed, and packs it in the end.

    Args:
        path: The file, ends in ``.safetensors``.

    Raises:
        ValueError: If the name is wrong.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        if path.suffix != ".safetensors":
            raise ValueError(f"export must end in .safetensors, got {path.name!r}")
        self.path = path

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse before the training a network that cannot be packed.

        Raises:
            ValueError: If it cannot be packed.
        """
        assert isinstance(pl_module, NodeClassifier)
        check_packable(pl_module.network)

    def write(self, network: GraphNetwork, names: GraphNames) -> None:
        """Write the packed network.

        Args:
            network: The network of the best epoch.
            names: What its classes and features are called.

        Raises:
            OSError: If the file cannot be written.
        """
        save_packed(packed_copy(network, names), self.path)


def packed_copy(network: GraphNetwork, names: GraphNames) -> PackedGNN:
    """The packed form of a network, wherever it is; it stays as it is.

    Args:
        network: A trained network that can be packed.
        names: What its classes and features are called.
    """
    return freeze(copy.deepcopy(network).cpu().eval(), names.classes, names.columns)
