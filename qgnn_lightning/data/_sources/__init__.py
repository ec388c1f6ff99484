"""Sources of graphs, each under the name that a config gives it."""

from qgnn_lightning.data._sources._factory import RANDOM_SOURCES, SourceName, make_source
from qgnn_lightning.data._sources._planted import PlantedOptions
from qgnn_lightning.data._sources._source import Source

__all__ = ["RANDOM_SOURCES", "PlantedOptions", "Source", "SourceName", "make_source"]
