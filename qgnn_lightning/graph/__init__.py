"""Graphs in compressed rows, their normalisation, and measures of smoothness."""

from qgnn_lightning.graph._adjacency import Adjacency, aggregate, sparse_csr
from qgnn_lightning.graph._normalization import (
    propagate,
    random_walk,
    symmetric_laplacian,
)
from qgnn_lightning.graph._smoothness import dirichlet_energy, mean_average_distance
from qgnn_lightning.graph._subgraph import entries_of_rows, induced_subgraph
from qgnn_lightning.graph._tensor import check_tensor

__all__ = [
    "Adjacency",
    "aggregate",
    "check_tensor",
    "dirichlet_energy",
    "entries_of_rows",
    "induced_subgraph",
    "mean_average_distance",
    "propagate",
    "random_walk",
    "sparse_csr",
    "symmetric_laplacian",
]
