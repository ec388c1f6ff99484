"""Where a graph comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from qgnn_lightning.data._raw_graph import RawGraph


class Source(ABC):
    """A place to take one graph from; making one costs nothing and touches no file."""

    def prepare(self, *, download: bool) -> None:  # noqa: B027  (optional, not abstract)
        """Bring the files to this machine; a source without files has nothing to bring.

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

    def load_to_describe(self) -> RawGraph:
        """Read a graph whatever it is good for: it may lack labels, or have test nodes only.

        Raises:
            GraphDataError: If files are missing or cannot be read.
        """
        return self.load()

    def load_to_test(self) -> RawGraph:
        """Read a graph that a trained network is tested on: it may have test nodes only.

        Raises:
            GraphDataError: If files are missing or cannot be read.
        """
        return self.load()

    def load_to_predict(self) -> RawGraph:
        """Read a graph whose classes are to be predicted: it may lack labels and a split.

        Raises:
            GraphDataError: If files are missing or cannot be read.
        """
        return self.load()
