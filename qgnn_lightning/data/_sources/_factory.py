"""From the name in a config to the source."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from qgnn_lightning.data._cache import cache_folder
from qgnn_lightning.data._sources._co_graphs import co_graph_files
from qgnn_lightning.data._sources._digits import DigitsSource
from qgnn_lightning.data._sources._files import FileSource, PublishedFiles
from qgnn_lightning.data._sources._npy import NpySource
from qgnn_lightning.data._sources._npz import NpzSource
from qgnn_lightning.data._sources._ogb import OgbSource
from qgnn_lightning.data._sources._own_files import OwnFilesSource
from qgnn_lightning.data._sources._planetoid import planetoid_files
from qgnn_lightning.data._sources._planted import PlantedOptions, PlantedSource
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._sources._split_file import ignore_split
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError

SourceName = Literal[
    "digits",
    "planetoid",
    "coauthor",
    "amazon",
    "ogb",
    "block_model",
    "power_law",
    "files",
    "npz",
    "npy",
]

_PUBLISHED: dict[str, Callable[[str | None], PublishedFiles]] = {
    "planetoid": planetoid_files,
    "coauthor": partial(co_graph_files, "coauthor"),
    "amazon": partial(co_graph_files, "amazon"),
}
#: Sources that are drawn at random, with the skew of their nodes' weights.
RANDOM_SOURCES = {"block_model": 0.0, "power_law": 0.5}
_OWN: dict[str, tuple[Callable[[Path], Source], str]] = {
    "files": (OwnFilesSource, "folder of the graph's files"),
    "npz": (NpzSource, "path of the .npz file"),
    "npy": (NpySource, "folder of the .npy files"),
}


def make_source(
    source: str,
    *,
    name: str | None,
    root: str | None,
    cache_dir: str | None,
    undirected: bool,
    split: str,
    planted: Callable[[], PlantedOptions],
) -> Source:
    """Make the source of a graph; no file is touched.

    Args:
        source: Name of the source.
        name: Name of the graph, where the source has several.
        root: Folder of the data set, of ``files`` or of ``npy``, or the file of ``npz``.
        cache_dir: Folder for what is derived from it; ``None`` is the user's cache folder.
        undirected: Whether every edge of a directed set gets its reverse (``ogb``).
        split: ``public`` or ``random``: whether files of the split are needed (``files``).
        planted: Makes the options of the random graphs, where they are needed.

    Raises:
        GraphDataError: If there is no such source, or its arguments are wrong.
    """
    cache = cache_folder(cache_dir)
    if source in _PUBLISHED:
        folder = Path(root).expanduser() if root else cache / source
        return FileSource(_PUBLISHED[source](name), folder, cache)
    if source in _OWN:
        make, what = _OWN[source]
        if not root:
            raise GraphOptionError(f"data.root is needed, the {what}: --data.root PATH")
        folder = Path(root).expanduser()
        if source == "files" and split == "random":
            return OwnFilesSource(folder, ignore_split)
        return make(folder)
    if source == "ogb":
        folder = Path(root).expanduser() if root else cache / source
        return OgbSource(name, folder, cache, undirected)
    if root and source in get_args(SourceName):
        raise GraphOptionError(
            f"data.root is {root}, but the source {source} reads no files: --data.source files "
            "reads a folder of your own"
        )
    if name and (source in RANDOM_SOURCES or source == "digits"):
        raise GraphOptionError(
            f"data.name is {name}, but the source {source} has only one graph: "
            f"--data.source planetoid --data.name {name} reads one of a collection"
        )
    if source in RANDOM_SOURCES:
        return PlantedSource(planted(), RANDOM_SOURCES[source])
    if source == "digits":
        return DigitsSource()
    known = ", ".join(get_args(SourceName))
    raise GraphDataError(f"source must be one of {known}, got {source!r}")
