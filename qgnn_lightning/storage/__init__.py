"""Files that survive a crash: written as a whole or not at all."""

from qgnn_lightning.storage._atomic import atomic_path

__all__ = ["atomic_path"]
