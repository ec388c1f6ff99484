"""Which nodes are trained on, selected on and tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data._split_sizes import SplitSizes
from qgnn_lightning.data._validation import GraphDataError, check_labels


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint sets of nodes as masks.

    Args:
        train_mask: Nodes to train on, bool.
        val_mask: Nodes to select the model on, bool.
        test_mask: Nodes to report the accuracy on, bool.

    Shapes:
        train_mask, val_mask, test_mask: ``(num_nodes,)``.
    """

    train_mask: Tensor
    val_mask: Tensor
    test_mask: Tensor

    def class_sizes(self, y: Tensor) -> dict[str, list[int]]:
        """Nodes of each class in each part.

        Args:
            y: Class of each node, -1 where it is unknown.

        Shapes:
            y: ``(num_nodes,)``.

        Returns:
            By ``train``, ``val`` and ``test``: a number for each class.
        """
        masks = {"train": self.train_mask, "val": self.val_mask, "test": self.test_mask}
        most = len(class_sizes(y))
        return {
            part: torch.bincount(y[mask & (y >= 0)].long(), minlength=most).tolist()
            for part, mask in masks.items()
        }


def random_split(
    y: Tensor, *, num_train_per_class: int, num_val: int, num_test: int, seed: int
) -> Split:
    """Draw as many training nodes from every class, then validation and test nodes from the rest.

    Source: Shchur et al., "Pitfalls of Graph Neural Network Evaluation", 2018 (Planetoid-like
    random splits).

    Args:
        y: Class of each node, int64; nodes of unknown class, -1, are in no part.
        num_train_per_class: Training nodes of each class that has nodes.
        num_val: Validation nodes, of any class.
        num_test: Test nodes, of any class.
        seed: Seed of this draw alone; the seed of the training does not matter here.

    Shapes:
        y: ``(num_nodes,)``.

    Raises:
        GraphDataError: If a label or a number is out of range, or there are too few nodes.
    """
    check_labels(y, y.numel())
    known = y >= 0
    if not bool(known.all()):
        drawn = random_split(
            y[known],
            num_train_per_class=num_train_per_class,
            num_val=num_val,
            num_test=num_test,
            seed=seed,
        )
        masks = (drawn.train_mask, drawn.val_mask, drawn.test_mask)
        return Split(*(torch.zeros_like(known).masked_scatter(known, mask) for mask in masks))
    SplitSizes(num_train_per_class, num_val, num_test).check(class_sizes(y).tolist())
    shuffled = torch.randperm(y.numel(), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[y[shuffled].argsort(stable=True)]
    count = torch.bincount(y)
    start = (count.cumsum(0) - count)[y[by_class]]
    rank = torch.arange(y.numel()) - start
    train_mask = _mask(y, by_class[rank < num_train_per_class])
    rest = shuffled[~train_mask[shuffled]]
    return Split(
        train_mask=train_mask,
        val_mask=_mask(y, rest[:num_val]),
        test_mask=_mask(y, rest[num_val : num_val + num_test]),
    )


def class_sizes(y: Tensor) -> Tensor:
    """Nodes of each class, ``(num_nodes,) -> (num_classes,)``; unknown labels, -1, do not count."""
    return torch.bincount(y[y >= 0].long())


def pack_split(split: Split) -> Tensor:
    """Masks as bits, for a checkpoint: bool ``(num_nodes,)`` each -> uint8 ``(3, num_bytes)``."""
    masks = torch.stack([split.train_mask, split.val_mask, split.test_mask]).cpu()
    return torch.from_numpy(np.packbits(masks.numpy(), axis=1))


def unpack_split(packed: Any, num_nodes: int) -> Split:
    """Inverse of :func:`pack_split`.

    Raises:
        GraphDataError: If it holds anything else.
    """
    shape = (3, -(-num_nodes // 8))
    if not isinstance(packed, Tensor) or (packed.dtype, packed.shape) != (torch.uint8, shape):
        raise GraphDataError("The split in the checkpoint is damaged, or that of another graph")
    masks = np.unpackbits(packed.cpu().numpy(), axis=1, count=num_nodes).astype(bool)
    return Split(*torch.from_numpy(masks))


def _mask(y: Tensor, nodes: Tensor) -> Tensor:
    mask = torch.zeros_like(y, dtype=torch.bool)
    mask[nodes] = True
    return mask
