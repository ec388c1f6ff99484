from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

_PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def planetoid_root() -> Path:
    """Folder with the raw Planetoid files."""
    data = Path(os.environ.get("QGNN_DATA_ROOT", _PROJECT.parent / "shared" / "data"))
    root = data / "planetoid"
    if not (root / "Cora" / "raw" / "ind.cora.x").is_file():
        pytest.skip(f"no Planetoid files in {root}: set QGNN_DATA_ROOT to the folder above it")
    return root


@pytest.fixture
def tensors() -> Callable[..., dict[str, Tensor]]:
    """A valid ring of 12 nodes with 3 classes, of which a test replaces parts."""

    def make(**replaced: Tensor) -> dict[str, Tensor]:
        nodes = torch.arange(12)
        following = (nodes + 1) % 12
        both = torch.cat([following, nodes])
        parts = {
            "x": torch.rand(12, 5, generator=torch.Generator().manual_seed(0)),
            "edge_index": torch.stack([torch.cat([nodes, following]), both]),
            "y": nodes % 3,
            "train_mask": nodes < 6,
            "val_mask": (nodes >= 6) & (nodes < 9),
            "test_mask": nodes >= 9,
        }
        return parts | replaced

    return make
