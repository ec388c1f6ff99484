"""Graphs that were read once, kept as safetensors files named by the content they came from."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from qgnn_lightning.data._features import csr
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._splits import Split
from qgnn_lightning.storage import atomic_path

_FORMAT = "qgnn-graph-1"
_MASKS = ("train_mask", "val_mask", "test_mask")
_log = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """The user's cache folder for this package: ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "qgnn_lightning"


def cache_folder(given: str | None) -> Path:
    """The folder that was given, or the user's."""
    return Path(given).expanduser() if given else default_cache_dir()


def content_key(files: Sequence[Path]) -> str:
    """Hash of the names and contents of files, and of the format of the cache."""
    digest = hashlib.sha256(_FORMAT.encode())
    for file in files:
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.name}:{content};".encode())
    return digest.hexdigest()


def load_or_build(path: Path, build: Callable[[], RawGraph]) -> RawGraph:
    """Read a graph from the cache; where it is not there or not readable, build and store it."""
    cached = _load(path)
    if cached is not None:
        return cached
    graph = build()
    _keep(path, _to_tensors(graph))
    return graph


def load_or_compute(path: Path, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Read tensors from the cache; where they are not there or not readable, compute and store."""
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        tensors = compute()
    _keep(path, tensors)
    return tensors


def _keep(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        _store(path, tensors)
    except OSError as error:
        _log.warning("The graph is not cached, %s cannot be written: %s", path, error)


def _load(path: Path) -> RawGraph | None:
    try:
        return _from_tensors(load_file(path))
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None


def _store(path: Path, tensors: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as file:
        try:
            save_file(tensors, file, metadata={"format": _FORMAT})
        except SafetensorError as error:
            raise OSError(str(error)) from error


def _to_tensors(graph: RawGraph) -> dict[str, Tensor]:
    tensors = {"edge_index": graph.edge_index.contiguous(), "y": graph.y}
    tensors["bag_of_words"] = torch.tensor(graph.bag_of_words)
    if graph.x.layout == torch.sparse_csr:
        tensors |= {"x_crow": graph.x.crow_indices(), "x_col": graph.x.col_indices()}
        tensors |= {"x_value": graph.x.values(), "num_features": torch.tensor(graph.x.shape[1])}
    else:
        tensors["x"] = graph.x.contiguous()
    if graph.split is not None:
        tensors |= {name: getattr(graph.split, name) for name in _MASKS}
    if graph.edge_weight is not None:
        tensors["edge_weight"] = graph.edge_weight
    return tensors


def _from_tensors(tensors: dict[str, Tensor]) -> RawGraph:
    if "x" in tensors:
        x = tensors["x"]
    else:
        parts = (tensors["x_crow"], tensors["x_col"], tensors["x_value"])
        x = csr(*parts, int(tensors["num_features"]))
    has_split = _MASKS[0] in tensors
    return RawGraph(
        x=x,
        edge_index=tensors["edge_index"],
        y=tensors["y"],
        split=Split(*(tensors[name] for name in _MASKS)) if has_split else None,
        edge_weight=tensors.get("edge_weight"),
        bag_of_words=bool(tensors["bag_of_words"]),
    )
