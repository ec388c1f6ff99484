"""The co-author graphs CS and Physics, and the co-purchase graphs Computers and Photo."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._files import PublishedFiles, published_name
from qgnn_lightning.data._sources._pyg import import_pyg

_FILES = {
    "coauthor": {"CS": "ms_academic_cs.npz", "Physics": "ms_academic_phy.npz"},
    "amazon": {
        "Computers": "amazon_electronics_computers.npz",
        "Photo": "amazon_electronics_photo.npz",
    },
}
_CLASSES = {"coauthor": "Coauthor", "amazon": "Amazon"}


def co_graph_files(source: str, name: str | None) -> PublishedFiles:
    """Files of a co-author or co-purchase graph; it has no public split.

    Source: Shchur et al., "Pitfalls of Graph Neural Network Evaluation", 2018.

    Args:
        source: ``coauthor`` or ``amazon``.
        name: ``CS`` or ``Physics``; ``Computers`` or ``Photo``.

    Raises:
        GraphDataError: If there is no such graph.
    """
    title = published_name(source, name, tuple(_FILES[source]))
    file = _FILES[source][title]

    def download(root: Path) -> None:
        getattr(import_pyg("datasets"), _CLASSES[source])(str(root), title)

    def read(folder: Path) -> RawGraph:
        # Symmetric, with binary bags of words.
        data = import_pyg("io").read_npz(str(folder / file), to_undirected=True)
        return RawGraph(sparsify(data.x), data.edge_index, data.y, bag_of_words=True)

    return PublishedFiles(title, f"{title}/raw", (file,), download, read)
