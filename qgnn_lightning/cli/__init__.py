"""The command ``qgnn``."""

from qgnn_lightning.cli._main import main

__all__ = ["main"]
