"""What all tests share: one thread, the data root and hypothesis' settings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings

_PROJECT = Path(__file__).parents[1]

settings.register_profile("qgnn", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("qgnn")


@pytest.fixture(scope="session", autouse=True)
def _small_tensors_need_one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the files that are not part of the project."""
    root = Path(os.environ.get("QGNN_DATA_ROOT", _PROJECT.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no folder {root}: set QGNN_DATA_ROOT to the one with paper_code_values.json")
    return root


@pytest.fixture(scope="session")
def paper_values(data_root: Path) -> dict[str, Any]:
    """Inputs and outputs recorded from the code that the paper's authors released."""
    file = data_root / "paper_code_values.json"
    if not file.is_file():
        pytest.skip(f"no file {file}: set QGNN_DATA_ROOT to the folder that holds it")
    values: dict[str, Any] = json.loads(file.read_text())
    return values
