"""The citation graphs Cora, CiteSeer and PubMed."""

from __future__ import annotations

import warnings
from pathlib import Path

from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._files import PublishedFiles, published_name
from qgnn_lightning.data._sources._pyg import import_pyg
from qgnn_lightning.data._splits import Split

_NAMES = ("Cora", "CiteSeer", "PubMed")
_PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")


def planetoid_files(name: str | None) -> PublishedFiles:
    """Files of a citation graph, with the public split.

    Source: Yang et al., "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016.
    The files are pickles: a data folder is trusted input.

    Args:
        name: ``Cora``, ``CiteSeer`` or ``PubMed``.

    Raises:
        GraphDataError: If there is no such graph.
    """
    title = published_name("planetoid", name, _NAMES)

    def download(root: Path) -> None:
        import_pyg("datasets").Planetoid(str(root), title)

    def read(folder: Path) -> RawGraph:
        return _read(folder, title)

    names = tuple(f"ind.{title.lower()}.{part}" for part in _PARTS)
    return PublishedFiles(title, f"{title}/raw", names, download, read)


def _read(folder: Path, title: str) -> RawGraph:
    io = import_pyg("io")
    # The pickles name modules and flags that numpy and scipy have since renamed.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = io.read_planetoid_data(str(folder), title.lower())
    return RawGraph(
        x=sparsify(data.x),
        edge_index=data.edge_index,
        y=data.y,
        split=Split(data.train_mask, data.val_mask, data.test_mask),
        bag_of_words=True,
    )
