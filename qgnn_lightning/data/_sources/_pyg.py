"""PyG, imported where a published graph is first read, and without a word."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any


def import_pyg(module: str) -> Any:
    """Import a module of PyG without the deprecations that its own import triggers in torch.

    Args:
        module: Name below ``torch_geometric``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(f"torch_geometric.{module}")
