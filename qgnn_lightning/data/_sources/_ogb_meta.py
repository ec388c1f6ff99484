"""What OGB says about a set: its files, its split and its task."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qgnn_lightning.data._sources._ogb_tensors import load_plain
from qgnn_lightning.data._sources._unreadable import unreadable
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

META_FILE = "meta_dict.pt"
_CSV = ("edge", "num-node-list", "num-edge-list", "node-feat", "node-label")
_PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class OgbMeta:
    """A set of OGB with one label per node.

    Args:
        folder: Folder of the set below the root.
        download_name: Folder of the set in its archive.
        url: Address of the archive, or ``None`` where the set is not published.
        split: Name of the official split.
        num_classes: Number of classes.
        binary: Whether arrays are in ``.npz`` files; otherwise in compressed CSV files.
        add_inverse_edge: Whether the files have one direction of every undirected edge.
        saved: Whether ``DatasetSaver`` wrote it, with the split in one file.
    """

    folder: str
    download_name: str
    url: str | None
    split: str
    num_classes: int
    binary: bool
    add_inverse_edge: bool
    saved: bool

    @property
    def file_names(self) -> tuple[str, ...]:
        """The files that are read, below the folder."""
        raw = ("data.npz", "node-label.npz") if self.binary else [f"{n}.csv.gz" for n in _CSV]
        parts = ("split_dict.pt",) if self.saved else [f"{part}.csv.gz" for part in _PARTS]
        return (*(f"raw/{n}" for n in raw), *(f"split/{self.split}/{n}" for n in parts))


def saved_meta(root: Path, name: str) -> OgbMeta | None:
    """What ``DatasetSaver`` wrote about a set, or ``None`` where it wrote nothing.

    Args:
        root: The folder it wrote to.
        name: Name of the set.

    Raises:
        GraphDataError: If the file cannot be read, or describes another set.
    """
    path = root / META_FILE
    if not path.is_file():
        return None
    try:
        found = load_plain(path)
        download_name = str(found["download_name"])
        expected = "_".join(name.split("-")[1:])
        if download_name != expected:
            raise GraphDataError(f"{path} describes the set {download_name!r}, not {name!r}")
        folder = Path(found["dir_path"]).name
        return _meta(name, found, folder=folder, url=None, saved=True)
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        kind = f"a meta_dict of OGB's DatasetSaver ({type(error).__name__})"
        raise unreadable(path, kind, error) from error


def published_meta(name: str) -> OgbMeta:
    """What the installed ``ogb`` says about a published set; ``ogb`` is not imported.

    Args:
        name: Name of the set.

    Raises:
        GraphDataError: If it is not published, or does not have one class per node.
    """
    found = _catalogue().get(name)
    if found is None:
        raise GraphOptionError(
            f"name must be one of {', '.join(_suitable())} for ogb, or data.root a folder written "
            f"by OGB's DatasetSaver (with {META_FILE}), got {name!r}"
        )
    return _meta(name, found, folder=name.replace("-", "_"), url=found["url"], saved=False)


def _meta(
    name: str, found: Mapping[str, Any], *, folder: str, url: str | None, saved: bool
) -> OgbMeta:
    problem = _problem(found)
    if problem:
        raise GraphDataError(f"{name} {problem}: only sets with features and one class per node")
    return OgbMeta(
        folder=folder,
        download_name=str(found["download_name"]),
        url=url,
        split=str(found["split"]),
        num_classes=int(found["num classes"]),
        binary=found["binary"] == "True",
        add_inverse_edge=found["add_inverse_edge"] == "True",
        saved=saved,
    )


def _problem(found: Mapping[str, Any]) -> str | None:
    if found["is hetero"] == "True":
        return "has several types of nodes"
    if "classification" not in found["task type"] or int(found["num tasks"]) != 1:
        return f"asks for {found['num tasks']} x {found['task type']}"
    if found["has_node_attr"] != "True":
        return "has no node features"
    return None


def _catalogue() -> dict[str, dict[str, str]]:
    """``master.csv`` of ogb: one column per set. Importing ogb would start a network thread."""
    spec = find_spec("ogb")
    if spec is None or not spec.submodule_search_locations:
        raise GraphDataError("source ogb needs the package ogb: pip install ogb")
    path = Path(spec.submodule_search_locations[0]) / "nodeproppred" / "master.csv"
    with path.open(newline="", encoding="utf-8") as file:
        (_, *names), *rows = csv.reader(file)
    return {name: {row[0]: row[i] for row in rows} for i, name in enumerate(names, start=1)}


def _suitable() -> list[str]:
    return [name for name, found in _catalogue().items() if _problem(found) is None]
