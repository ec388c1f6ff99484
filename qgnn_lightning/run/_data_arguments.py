"""The arguments of the data module, kept in the checkpoint."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

_KEY = "qgnn_data_arguments"
#: Paths are the user's to give: a checkpoint from elsewhere chooses none.
_PATHS = ("root", "cache_dir")


class DataArguments(Callback):
    """Keeps what the data module was made with, so that a checkpoint is tested on its own data.

    Args:
        arguments: Plain values by name; paths are left out.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = {name: arguments[name] for name in arguments if name not in _PATHS}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[_KEY] = self.arguments

    @staticmethod
    def stored(checkpoint: dict[str, Any]) -> dict[str, Any]:
        """The arguments in a checkpoint, without paths.

        Args:
            checkpoint: A loaded checkpoint.
        """
        found = checkpoint.get(_KEY)
        if not isinstance(found, dict):
            return {}
        return {name: value for name, value in found.items() if name not in _PATHS}
