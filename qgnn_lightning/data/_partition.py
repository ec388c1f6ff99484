"""Cutting the nodes of a large graph into parts with few edges between them."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._cache import load_or_compute
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError
from qgnn_lightning.graph import Adjacency

PartitionerName = Literal["auto", "metis", "random"]
_log = logging.getLogger(__name__)


class Partitioner(ABC):
    """A way to assign every node to a part."""

    name: str

    @abstractmethod
    def assign(self, adjacency: Adjacency, num_partitions: int) -> Tensor:
        """Number of the part of each node, int64: ``(num_nodes,)``."""


class MetisPartitioner(Partitioner):
    """Parts of about the same number of nodes with few edges between them.

    Source: Karypis and Kumar, "A Fast and High Quality Multilevel Scheme for Partitioning
    Irregular Graphs", SIAM J. Sci. Comput. 20 (1998), by pymetis.

    Raises:
        GraphDataError: If pymetis is not installed.
    """

    name = "metis"

    def __init__(self) -> None:
        if find_spec("pymetis") is None:
            raise GraphOptionError(
                "partitioner metis needs pymetis: pip install 'qgnn-lightning[partition]', or "
                "set data.partitioner to random"
            )

    def assign(self, adjacency: Adjacency, num_partitions: int) -> Tensor:
        pymetis: Any = import_module("pymetis")
        rowptr, col = _without_loops(adjacency)
        dtype = pymetis.zero_copy_dtype()
        graph = pymetis.CSRAdjacency(rowptr.numpy().astype(dtype), col.numpy().astype(dtype))
        _, parts = pymetis.part_graph(num_partitions, adjacency=graph)
        return torch.from_numpy(np.asarray(parts, dtype=np.int64))


class RandomPartitioner(Partitioner):
    """Parts of the same number of nodes, drawn at random: most edges are lost in a batch.

    Args:
        seed: Seed of the draw.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.name = f"random{seed}"

    def assign(self, adjacency: Adjacency, num_partitions: int) -> Tensor:
        draw = torch.Generator().manual_seed(self._seed)
        return torch.randperm(adjacency.num_nodes, generator=draw) % num_partitions


def make_partitioner(name: str, seed: int) -> Partitioner:
    """Make a partitioner; ``auto`` is METIS where pymetis is installed, and says where it is not.

    Args:
        name: ``auto``, ``metis`` or ``random``.
        seed: Seed of the random one.

    Raises:
        GraphDataError: If there is no such partitioner, or pymetis is missing.
    """
    match name:
        case "metis":
            return MetisPartitioner()
        case "random":
            return RandomPartitioner(seed)
        case "auto" if find_spec("pymetis"):
            return MetisPartitioner()
        case "auto":
            _log.warning("pymetis is not installed: partitions are random, and lose most edges")
            return RandomPartitioner(seed)
    raise GraphDataError(f"partitioner must be auto, metis or random, got {name!r}")


@dataclass(frozen=True)
class PartitionOptions:
    """How a graph is cut, and how the parts make batches.

    Args:
        num_partitions: Parts of the graph, at least 2.
        partitions_per_batch: Parts that are put together in a batch, at least 1.
        partitioner: ``auto``, ``metis`` or ``random``.
        seed: Seed of the order of the parts, and of random parts.

    Raises:
        GraphDataError: If a number is out of range.
    """

    num_partitions: int
    partitions_per_batch: int
    partitioner: PartitionerName
    seed: int

    def __post_init__(self) -> None:
        if self.num_partitions < 2:
            raise GraphDataError(f"num_partitions must be at least 2, got {self.num_partitions}")
        if not 1 <= self.partitions_per_batch <= self.num_partitions:
            raise GraphDataError(
                f"partitions_per_batch must be in [1, num_partitions={self.num_partitions}], "
                f"got {self.partitions_per_batch}"
            )


def partition(adjacency: Adjacency, options: PartitionOptions, cache_dir: Path) -> list[Tensor]:
    """The nodes of each part, ascending; worked out once per graph and kept on the disk.

    Args:
        adjacency: The graph.
        options: How it is cut.
        cache_dir: Folder of the file.

    Raises:
        GraphDataError: If there are more parts than nodes, or some have no node.
    """
    number = options.num_partitions
    if number > adjacency.num_nodes:
        raise GraphOptionError(
            f"num_partitions must not exceed the {adjacency.num_nodes} nodes, got {number}"
        )
    partitioner = make_partitioner(options.partitioner, options.seed)
    name = f"{partitioner.name}-{number}-{_graph_key(adjacency)[:16]}.safetensors"

    def build() -> dict[str, Tensor]:
        return {"part": partitioner.assign(adjacency, number).to(torch.int32)}

    part = load_or_compute(cache_dir / "partitions" / name, build)["part"]
    count = torch.bincount(part, minlength=number)
    if int(count.min()) == 0:
        raise GraphOptionError(
            f"num_partitions={number} leaves {int((count == 0).sum())} parts without a node: "
            "choose fewer"
        )
    return list(torch.split(part.argsort(stable=True), count.tolist()))


def _without_loops(adjacency: Adjacency) -> tuple[Tensor, Tensor]:
    """Rows and neighbours of the undirected graph without self-loops, as METIS wants it."""
    if not adjacency.symmetric:
        both = torch.stack([adjacency.row, adjacency.col])
        both = torch.cat([both, both.flip(0)], dim=1)
        adjacency = Adjacency.from_edge_index(both, adjacency.num_nodes)
    other = adjacency.col != adjacency.row
    return adjacency.rowptr - torch.arange(adjacency.num_nodes + 1), adjacency.col[other]


def _graph_key(adjacency: Adjacency) -> str:
    digest = hashlib.sha256()
    for tensor in (adjacency.rowptr, adjacency.col):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
