"""Where a graph comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from qgnn_lightning.data._raw_graph import RawGraph


class Source(ABC):
    """A place to take one graph from; making one costs nothing and touches no file."""

    @abstractmethod
    def prepare(self, *, download: bool) -> None:
        """Bring the files to this machine.

        Args:
            download: Whether missing files may be downloaded.

        Raises:
            GraphDataError: If files are missing and cannot be downloaded.
        """

    @abstractmethod
    def load(self) -> RawGraph:
        """Read or generate the graph.

        Raises:
            GraphDataError: If files are missing or cannot be read.
        """
