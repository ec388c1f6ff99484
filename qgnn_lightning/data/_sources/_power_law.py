"""A graph of any size with a few hubs and many nodes of low degree."""

from __future__ import annotations

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._planted import PlantedOptions, planted_graph
from qgnn_lightning.data._sources._source import Source

# Weights of i ** -1/2 give degrees with the exponent 1 + 1 / skew = 3.
_SKEW = 0.5


class PowerLawSource(Source):
    """A random graph with expected degrees that follow a power law of exponent 3.

    Source: Chung and Lu, "The average distances in random graphs with given expected degrees",
    PNAS 2002; classes are planted as in the block model.

    Args:
        options: Size and difficulty.
    """

    def __init__(self, options: PlantedOptions) -> None:
        self._options = options

    def prepare(self, *, download: bool) -> None:
        """Nothing to fetch.

        Args:
            download: Not used.
        """

    def load(self) -> RawGraph:
        """Draw the graph.

        Raises:
            GraphDataError: If there are too few pairs of nodes for the number of edges.
        """
        return planted_graph(self._options, skew=_SKEW)
