"""The contextual stochastic block model: communities in the edges and in the features."""

from __future__ import annotations

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._planted import PlantedOptions, planted_graph
from qgnn_lightning.data._sources._source import Source


class BlockModelSource(Source):
    """A contextual stochastic block model with given numbers of edges within and between classes.

    Source: Deshpande et al., "Contextual Stochastic Block Models", NeurIPS 2018; here with
    several classes and the number of edges fixed instead of drawn. Their signal strength mu
    grows as ``1 / noise ** 2``.

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
        return planted_graph(self._options, skew=0.0)
