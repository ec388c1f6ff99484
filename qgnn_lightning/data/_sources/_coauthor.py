"""The co-author graphs CS and Physics."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.data._features import sparsify
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._files import PublishedFiles, published_name
from qgnn_lightning.data._sources._pyg import import_pyg


def coauthor_files(name: str | None) -> PublishedFiles:
    """Files of a co-author graph; it has no public split.

    Source: Shchur et al., "Pitfalls of Graph Neural Network Evaluation", 2018.

    Args:
        name: ``CS`` or ``Physics``.

    Raises:
        GraphDataError: If there is no such graph.
    """
    title = published_name("coauthor", name, ("CS", "Physics"))
    file = f"ms_academic_{title[:3].lower()}.npz"

    def download(root: Path) -> None:
        import_pyg("datasets").Coauthor(str(root), title)

    def read(folder: Path) -> RawGraph:
        return read_co_graph(folder / file)

    return PublishedFiles(title, f"{title}/raw", (file,), download, read)


def read_co_graph(path: Path) -> RawGraph:
    """Read a co-author or co-purchase graph, symmetric, with binary bags of words."""
    data = import_pyg("io").read_npz(str(path), to_undirected=True)
    return RawGraph(sparsify(data.x), data.edge_index, data.y, bag_of_words=True)
