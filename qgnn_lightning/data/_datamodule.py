"""The data module: from a name in a config to the batches of a training."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn

from qgnn_lightning.data._batch import GraphBatch
from qgnn_lightning.data._batching import BatchingName, Place, TrainLoader, make_batching
from qgnn_lightning.data._cache import cache_folder
from qgnn_lightning.data._checkpoint_state import check_not_trained_on, check_same_labels, state_of
from qgnn_lightning.data._classes import TrainedClasses
from qgnn_lightning.data._graph_reader import GraphReader
from qgnn_lightning.data._loader import FullGraphLoader
from qgnn_lightning.data._neighbor_loader import NeighborOptions
from qgnn_lightning.data._partition import PartitionerName, PartitionOptions
from qgnn_lightning.data._raw_graph import GraphNames, RawGraph
from qgnn_lightning.data._sources import PlantedOptions, SourceName, make_source
from qgnn_lightning.data._split_sizes import SplitSizes
from qgnn_lightning.data._splits import Split
from qgnn_lightning.data._validation import (
    GraphDataError,
    GraphOptionError,
)
from qgnn_lightning.errors import OptionError

#: How a graph is read, by what for; each needs more of it than the ones before.
_READ = {
    "predict": GraphReader.load_to_predict,
    "test": GraphReader.load_to_test,
    "fit": GraphReader.load,
}
_PURPOSES = list(_READ)


class GraphDataModule(LightningDataModule):
    """One graph, its split, and the loaders of a training on the whole graph or on parts of it.

    Args:
        source: Where the graph comes from: ``digits`` (no download), ``planetoid``,
            ``coauthor``, ``amazon``, ``ogb``, your own: ``files`` (a folder, see
            docs/data-format.md), ``npz`` or ``npy`` (a folder of arrays, features on disk), or
            drawn at random: ``block_model``, ``power_law``.
        name: Name of the graph, where the source has several: Cora, CiteSeer, PubMed
            (planetoid); CS, Physics (coauthor); Computers, Photo (amazon); ogbn-arxiv,
            ogbn-products, or a set written by OGB's DatasetSaver (ogb).
        root: Folder of the data set as PyG or OGB lays it out, folder of ``files`` or ``npy``, or
            the file of ``npz``. It is only read where the files are there. ``None`` is a folder
            inside ``cache_dir``.
        cache_dir: Folder for what is derived from the files. ``None`` is
            ``$XDG_CACHE_HOME/qgnn_lightning`` or ``~/.cache/qgnn_lightning``.
        download: Whether missing files may be downloaded.
        undirected: Whether every edge of a directed set (ogb) gets its reverse.
        split: ``public``, the split that comes with the graph, or ``random``, drawn per class.
        split_seed: Seed of the random split alone.
        num_train_per_class: Training nodes per class of the random split.
        num_val: Validation nodes of the random split.
        num_test: Test nodes of the random split.
        normalize_features: Whether bags of words (planetoid, coauthor, amazon) are divided by
            their sum; other features stay as they are.
        steps_per_epoch: How often the graph is yielded, and so the number of optimizer steps, per
            training epoch, at most 10,000. More of them save the costs of an epoch: validation,
            logging, checkpoints.
        batching: ``full``: every step sees the whole graph; ``partitions``: the union of several
            parts of it, for graphs that do not fit, and for several devices; ``neighbors``: some
            training nodes and nodes drawn around them, for few propagation steps. Evaluation
            always sees the whole graph.
        num_partitions: Parts that the graph is cut into.
        partitions_per_batch: Parts in a batch.
        partitioner: ``metis`` (few edges between the parts, needs pymetis), ``random``, or
            ``auto``: METIS where it is installed.
        partition_seed: Seed of the order of parts or training nodes, and of what is drawn.
        seeds_per_batch: Training nodes in a batch of ``neighbors``.
        num_hops: Distance from them up to which nodes are drawn: the steps of the propagation.
        num_neighbors: Neighbours that are drawn of a node, at most.
        num_nodes: Nodes of a random graph.
        num_edges: Undirected edges of a random graph.
        num_features: Features per node of a random graph.
        num_classes: Classes of a random graph.
        homophily: Share of the edges of a random graph within a class, in [0, 1].
        noise: Standard deviation of the features of a random graph around their class mean, which
            has length 1.
        graph_seed: Seed of a random graph.

    Raises:
        GraphDataError: If an argument is outside its range.
    """

    def __init__(
        self,
        source: SourceName = "digits",
        name: str | None = None,
        root: str | None = None,
        cache_dir: str | None = None,
        download: bool = True,
        undirected: bool = True,
        split: Literal["public", "random"] = "public",
        split_seed: int = 0,
        num_train_per_class: int = 20,
        num_val: int = 500,
        num_test: int = 1000,
        normalize_features: bool = True,
        steps_per_epoch: int = 1,
        batching: BatchingName = "full",
        num_partitions: int = 64,
        partitions_per_batch: int = 4,
        partitioner: PartitionerName = "auto",
        partition_seed: int = 0,
        seeds_per_batch: int = 512,
        num_hops: int = 2,
        num_neighbors: int = 10,
        num_nodes: int = 3000,
        num_edges: int = 12000,
        num_features: int = 64,
        num_classes: int = 5,
        homophily: float = 0.8,
        noise: float = 0.5,
        graph_seed: int = 0,
    ) -> None:
        super().__init__()
        if split not in ("public", "random"):
            raise GraphDataError(f"split must be 'public' or 'random', got {split!r}")
        self._batching = make_batching(
            batching,
            steps_per_epoch=steps_per_epoch,
            partitions=partial(
                PartitionOptions,
                num_partitions,
                partitions_per_batch,
                partitioner,
                partition_seed,
            ),
            neighbors=partial(
                NeighborOptions, seeds_per_batch, num_hops, num_neighbors, partition_seed
            ),
            cache_dir=cache_folder(cache_dir),
        )
        planted = partial(
            PlantedOptions,
            num_nodes=num_nodes,
            num_edges=num_edges,
            num_features=num_features,
            num_classes=num_classes,
            homophily=homophily,
            noise=noise,
            seed=graph_seed,
        )
        self._source = make_source(
            source,
            name=name,
            root=root,
            cache_dir=cache_dir,
            undirected=undirected,
            split=split,
            planted=planted,
        )
        self._title = " ".join(filter(None, (source, name or root)))
        self._reader = GraphReader(
            self._source,
            self._title,
            split,
            SplitSizes(num_train_per_class, num_val, num_test),
            split_seed,
            normalize_features,
        )
        self._download = download
        self._graph: GraphBatch | None = None
        self._names = GraphNames()
        self._trained_classes: TrainedClasses | None = None
        self._purpose = "fit"
        self._placed: tuple[torch.device, GraphBatch] | None = None

    @classmethod
    def from_graph(cls, graph: GraphBatch, **options: Any) -> GraphDataModule:
        """Make a data module of a graph in memory.

        Args:
            graph: The graph, from :meth:`GraphBatch.from_tensors`.
            options: Other arguments: ``steps_per_epoch``, ``batching`` and those of partitions.

        Raises:
            GraphDataError: If an argument is outside its range.
        """
        module = cls(**options)
        module._title = "graph in memory"
        module._graph = graph
        return module

    @property
    def title(self) -> str:
        """What the graph is called: its source, and its name or where it is."""
        return self._title

    @property
    def graph(self) -> GraphBatch:
        """The graph.

        Raises:
            RuntimeError: Before :meth:`setup`.
        """
        if self._graph is None:
            raise RuntimeError(
                f"The graph ({self._title}) is not loaded yet: call prepare_data() and "
                "setup() first, or let the Trainer do so"
            )
        return self._graph

    @property
    def num_nodes(self) -> int:
        """Number of nodes, once set up."""
        return self.graph.num_nodes

    @property
    def num_features(self) -> int:
        """Number of features per node, once set up."""
        return self.graph.num_features

    @property
    def num_classes(self) -> int:
        """Number of classes, once set up; 0 where they are not known."""
        known = self._trained_classes
        return self.graph.num_classes if known is None else known.count

    @property
    def names(self) -> GraphNames:
        """What the source calls nodes, and it or a network classes and features, once set up."""
        return self._names

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, their numbers where the source has no names, once set up."""
        return self._names.classes or tuple(map(str, range(self.num_classes)))

    def take_classes(self, classes: TrainedClasses) -> None:
        """Number and order classes and features as a trained network does, from the next setup on.

        Args:
            classes: The classes and features of the network.
        """
        self._trained_classes = classes

    def prepare_data(self) -> None:
        """Download what is missing.

        Raises:
            GraphDataError: If files are missing and cannot be downloaded.
        """
        if self._graph is None:
            self._source.prepare(download=self._download)

    def setup(self, stage: str | None = None) -> None:
        """Load, check and prepare the graph, once.

        Args:
            stage: ``predict`` looks at no label and needs no split, ``test`` needs test nodes
                only. Partitions are made for ``fit`` alone.

        Raises:
            GraphDataError: If the graph cannot be loaded, is not valid or cannot be cut.
            OptionError: If several devices would train on the same full graph.
        """
        self._refuse_several_devices()
        purpose = stage if stage in _PURPOSES else "fit"
        if self._graph is None or _PURPOSES.index(purpose) > _PURPOSES.index(self._purpose):
            self._graph, self._names = _READ[purpose](self._reader, self._trained_classes)
            self._purpose = purpose
        if stage in ("fit", None):
            self._batching.prepare(self.graph, self._place)

    def read(self) -> RawGraph:
        """Read and check the graph as its source has it.

        Raises:
            GraphDataError: If the graph cannot be read or is not valid.
        """
        return self._reader.read()

    def read_to_describe(self) -> tuple[RawGraph, Split | None]:
        """Read and check a graph and its split, if it has one.

        They may be good for less than a training: without labels, or with test nodes only.

        Raises:
            GraphDataError: If they cannot be read or are not valid.
        """
        return self._reader.read_to_describe()

    def choose_split(self, raw: RawGraph) -> Split:
        """The split that came with a graph, or the one that is drawn.

        Args:
            raw: What :meth:`read` gave.

        Raises:
            GraphDataError: If there is none, or it is not valid.
        """
        return self._reader.choose_split(raw)

    def train_dataloader(self) -> TrainLoader:
        """The graph, ``steps_per_epoch`` times; or all its parts or training nodes, once."""
        return self._batching.loader(self.graph, self._place)

    @property
    def _place(self) -> Place:
        """Number of this process, and of all processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def val_dataloader(self) -> FullGraphLoader:
        """The graph, once."""
        return FullGraphLoader(self.graph, 1)

    def test_dataloader(self) -> FullGraphLoader:
        """The graph, once."""
        return FullGraphLoader(self.graph, 1)

    def predict_dataloader(self) -> FullGraphLoader:
        """The graph, once.

        Raises:
            OptionError: If several devices would predict the same.
        """
        if self.trainer is not None and self.trainer.world_size > 1:
            raise OptionError("One device predicts all nodes: set trainer.devices to 1")
        return FullGraphLoader(self.graph, 1)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Move the graph to the device once, not in every step.

        Args:
            batch: The batch of a loader.
            device: Where the model is.
            dataloader_idx: Not used.
        """
        if batch is not self._graph:
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        if self._placed is None or self._placed[0] != device:
            self._placed = (device, self.graph.to(device))
        return self._placed[1]

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint: the split, three masks as bits, and names of classes and features."""
        return {} if self._graph is None else state_of(self._graph, self._names)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Check that the names are those of the checkpoint, and no test node was trained on.

        Args:
            state_dict: What :meth:`state_dict` gave. A graph of another size is another graph,
                with no nodes to compare.

        Raises:
            GraphDataError: If classes or features have other names, a training goes on with other
                labels, a validation or test node was a training node, or the checkpoint does not
                say it.
        """
        if self._graph is None:
            return
        if self._trained_classes is None:
            self._compare_names(state_dict)
        check_not_trained_on(state_dict, self._graph)
        if self.trainer is not None and self.trainer.state.fn == TrainerFn.FITTING:
            check_same_labels(state_dict, self._graph, self._title)

    def _compare_names(self, state: dict[str, Any]) -> None:
        stored = TrainedClasses.stored(state)
        names = stored.names
        if stored.columns is not None and self._names.columns not in (None, stored.columns):
            raise GraphOptionError(
                f"The feature columns of {self._title} are not those of the checkpoint: hand "
                "TrainedClasses with the names of its columns to take_classes before the setup"
            )
        if self._purpose == "predict":
            self._names = replace(self._names, classes=names)
        elif names is not None and self._names.classes not in (None, names):
            raise GraphOptionError(
                f"The classes of {self._title} are not those of the checkpoint: hand "
                "TrainedClasses(len(names), names) to take_classes before the setup, names are "
                f"{names}"
            )

    def _refuse_several_devices(self) -> None:
        _, world_size = self._place
        if world_size > 1 and not self._batching.shared:
            raise OptionError(
                f"A full graph on {world_size} devices would train {world_size} identical copies. "
                "Set data.batching to partitions, so that each device trains on its own parts; or "
                "set trainer.devices to 1, and use the other devices for other seeds, one run each"
            )
