"""The co-purchase graphs Computers and Photo."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._coauthor import read_co_graph
from qgnn_lightning.data._sources._files import PublishedFiles, published_name
from qgnn_lightning.data._sources._pyg import import_pyg


def amazon_files(name: str | None) -> PublishedFiles:
    """Files of a co-purchase graph; it has no public split.

    Source: Shchur et al., "Pitfalls of Graph Neural Network Evaluation", 2018.

    Args:
        name: ``Computers`` or ``Photo``.

    Raises:
        GraphDataError: If there is no such graph.
    """
    title = published_name("amazon", name, ("Computers", "Photo"))
    file = f"amazon_electronics_{title.lower()}.npz"

    def download(root: Path) -> None:
        import_pyg("datasets").Amazon(str(root), title)

    def read(folder: Path) -> RawGraph:
        return read_co_graph(folder / file)

    return PublishedFiles(title, f"{title}/raw", (file,), download, read)
