"""What a checkpoint keeps of a graph: who was trained on, and the names of classes and features."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from qgnn_lightning.data._batch import GraphBatch
from qgnn_lightning.data._classes import TrainedClasses
from qgnn_lightning.data._raw_graph import GraphNames
from qgnn_lightning.data._splits import Split, pack_split, unpack_split
from qgnn_lightning.data._validation import GraphDataError, GraphOptionError


def state_of(graph: GraphBatch, names: GraphNames) -> dict[str, Any]:
    """Plain values for a checkpoint.

    Args:
        graph: The graph.
        names: What its classes and features are called.
    """
    split = pack_split(Split(graph.train_mask, graph.val_mask, graph.test_mask))
    return {
        "num_nodes": graph.num_nodes,
        "split": split,
        "labels": _digest(graph.y),
        **TrainedClasses.state(names),
    }


def check_same_labels(state: Mapping[str, Any], graph: GraphBatch, title: str) -> None:
    """Refuse to go on with a training whose best epoch so far was found on other labels.

    Args:
        state: What :func:`state_of` gave. A graph of another size is another graph, on which a
            network may be trained on.
        graph: The graph.
        title: What it is called in the message.

    Raises:
        GraphDataError: If the labels have changed, or the state does not say it.
    """
    before = state.get("labels")
    if not isinstance(before, str | None):
        raise GraphDataError("The labels in the checkpoint are damaged")
    if state.get("num_nodes") == graph.num_nodes and before not in (None, _digest(graph.y)):
        raise GraphOptionError(
            f"the labels of {title} are not those that the training began with: train anew, in "
            "another run directory"
        )


def check_not_trained_on(state: Mapping[str, Any], graph: GraphBatch) -> None:
    """Refuse a graph whose validation or test nodes a network has seen the labels of.

    Args:
        state: What :func:`state_of` gave. A graph of another size is another graph, with nothing
            to compare.
        graph: The graph.

    Raises:
        GraphDataError: If a node was trained on, or the state does not say it.
    """
    num_nodes = state.get("num_nodes")
    if not isinstance(num_nodes, int | None):
        raise GraphDataError("The number of nodes in the checkpoint is damaged")
    if num_nodes != graph.num_nodes:
        return
    trained = unpack_split(state.get("split"), graph.num_nodes).train_mask
    held_out = (graph.val_mask | graph.test_mask).cpu()
    leaked: Tensor = (trained & held_out).nonzero()
    if leaked.numel():
        raise GraphOptionError(
            f"The checkpoint was trained on {len(leaked)} nodes that are now validation or "
            f"test nodes, the first is node {int(leaked[0])}: use the split_seed of the "
            "checkpoint"
        )


def _digest(y: Tensor) -> str:
    return hashlib.sha256(y.cpu().numpy().tobytes()).hexdigest()
