"""Node classification sets of the Open Graph Benchmark, and sets written by its DatasetSaver."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import torch

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._files import FileSource, PublishedFiles
from qgnn_lightning.data._sources._ogb_meta import OgbMeta, published_meta, saved_meta
from qgnn_lightning.data._sources._ogb_read import read_ogb
from qgnn_lightning.data._sources._pyg import import_pyg
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._validation import GraphDataError


class OgbSource(Source):
    """A graph of OGB with its official split, read from OGB's raw files.

    OGB's own data set classes are not used: they ask questions on the terminal, delete folders,
    and cannot read what they have processed under torch 2.6 and later.

    Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs",
    NeurIPS 2020.

    Args:
        name: Name of the set: ``ogbn-arxiv``, ``ogbn-products``, or that of your own.
        root: Folder that holds ``ogbn_arxiv``, as OGB lays it out; or the folder that OGB's
            ``DatasetSaver`` wrote, with ``meta_dict.pt``.
        cache_dir: Folder for the graph as it was read.
        undirected: Whether every edge of a directed set gets its reverse.

    Raises:
        GraphDataError: If the name is not that of a node set.
    """

    def __init__(self, name: str | None, root: Path, cache_dir: Path, undirected: bool) -> None:
        if name is None or not name.startswith("ogbn-"):
            raise GraphDataError(f"name must start with 'ogbn-' for ogb, got {name!r}")
        self._name = name
        self._root = root
        self._cache_dir = cache_dir
        self._undirected = undirected

    def prepare(self, *, download: bool) -> None:
        self._files.prepare(download=download)

    def load(self) -> RawGraph:
        graph = self._files.load()
        directed = not self._meta.add_inverse_edge
        return make_undirected(graph) if self._undirected and directed else graph

    @cached_property
    def _meta(self) -> OgbMeta:
        return saved_meta(self._root, self._name) or published_meta(self._name)

    @cached_property
    def _files(self) -> FileSource:
        meta = self._meta
        folder = meta.folder
        if not meta.saved and (self._root / f"{folder}_pyg").is_dir():
            folder = f"{folder}_pyg"  # where older versions of OGB put the same files
        files = PublishedFiles(
            self._name, folder, meta.file_names, partial(_download, meta), partial(read_ogb, meta)
        )
        return FileSource(files, self._root, self._cache_dir)


def make_undirected(graph: RawGraph) -> RawGraph:
    """Add the reverse of every edge; duplicates count once later on.

    Args:
        graph: An unweighted graph.
    """
    edges = graph.edge_index
    return replace(graph, edge_index=torch.cat([edges, edges.flip(0)], dim=1))


def _download(meta: OgbMeta, root: Path) -> None:
    if meta.url is None:
        raise GraphDataError("this set was written by DatasetSaver and is published nowhere")
    data = import_pyg("data")
    archive = data.download_url(meta.url, str(root), log=False)
    data.extract_zip(archive, str(root), log=False)
    Path(archive).unlink()
    (root / meta.download_name).rename(root / meta.folder)
