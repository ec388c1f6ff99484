"""A set of OGB from its raw files."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._ogb_meta import OgbMeta
from qgnn_lightning.data._sources._ogb_tensors import load_plain
from qgnn_lightning.data._splits import Split


def read_ogb(meta: OgbMeta, folder: Path) -> RawGraph:
    """Read features, edges, labels and the official split.

    Args:
        meta: What OGB says about the set.
        folder: Folder of the set.

    Raises:
        ValueError: If a label is missing or is no class.
    """
    graph = _read_graph(meta, folder / "raw")
    y = _labels(meta, folder / "raw")
    return RawGraph(
        x=_tensor(graph["node_feat"], np.float32),
        edge_index=_tensor(graph["edge_index"], np.int64),
        y=y,
        split=_split(meta, folder / "split" / meta.split, y.numel()),
    )


def _read_graph(meta: OgbMeta, raw: Path) -> dict[str, Any]:
    # OGB reports its progress on both outputs.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        reader = import_ogb("io.read_graph_raw")
        if meta.binary:
            (graph,) = reader.read_binary_graph_raw(str(raw))
        else:
            (graph,) = reader.read_csv_graph_raw(str(raw), meta.add_inverse_edge)
    found: dict[str, Any] = graph
    return found


def import_ogb(module: str) -> Any:
    """Import a module of OGB without its thread that asks the network for a newer version.

    Args:
        module: Name below ``ogb``.
    """
    if "ogb" not in sys.modules:
        before = sys.modules.get("outdated")
        sys.modules["outdated"] = None  # type: ignore[assignment]  # what that thread needs
        try:
            import_module("ogb")
        finally:
            del sys.modules["outdated"]
            if before is not None:
                sys.modules["outdated"] = before
    return import_module(f"ogb.{module}")


def _labels(meta: OgbMeta, raw: Path) -> Tensor:
    if meta.binary:
        with np.load(raw / "node-label.npz", allow_pickle=False) as file:
            labels = file["node_label"]
    else:
        labels = _read_csv(raw / "node-label.csv.gz")
    missing = np.isnan(labels).any(axis=1)
    if missing.any():
        raise ValueError(f"{int(missing.sum())} nodes have no label")
    y = _tensor(labels, np.int64).squeeze(1)
    if int(y.max()) >= meta.num_classes:
        raise ValueError(f"label {int(y.max())} must be below num classes {meta.num_classes}")
    return y


def _split(meta: OgbMeta, folder: Path, num_nodes: int) -> Split:
    if meta.saved:
        found = load_plain(folder / "split_dict.pt")
        nodes = [found[part] for part in ("train", "valid", "test")]
    else:
        nodes = [_read_csv(folder / f"{part}.csv.gz") for part in ("train", "valid", "test")]
    return Split(*(_mask(part, num_nodes) for part in nodes))


def _mask(nodes: Any, num_nodes: int) -> Tensor:
    mask = torch.zeros(num_nodes, dtype=torch.bool)
    mask[_tensor(nodes, np.int64).flatten()] = True
    return mask


def _tensor(array: np.ndarray[Any, Any], dtype: Any) -> Tensor:
    # pandas hands out arrays that cannot be written to, which torch does not take.
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


def _read_csv(path: Path) -> np.ndarray[Any, Any]:
    pandas = import_module("pandas")
    table: np.ndarray[Any, Any] = pandas.read_csv(path, compression="gzip", header=None).to_numpy()
    return table
