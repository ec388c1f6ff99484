"""The checks of a split that comes as masks."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import torch
from torch import Tensor

from qgnn_lightning.data._validation import PARTS, Faults, GraphDataError
from qgnn_lightning.graph import check_tensor


def validate_masks(
    y: Tensor,
    train_mask: Tensor,
    val_mask: Tensor,
    test_mask: Tensor,
    needed: Collection[str] = PARTS,
) -> None:
    """Check that three masks select disjoint sets of nodes whose labels are known.

    Args:
        y: Labels, -1 where unknown.
        train_mask: Nodes to train on, bool.
        val_mask: Nodes to select the model on, bool.
        test_mask: Nodes to report the accuracy on, bool.
        needed: Parts, of ``train``, ``val`` and ``test``, that must have a node.

    Shapes:
        y, train_mask, val_mask, test_mask: ``(num_nodes,)``.

    Raises:
        TypeError: If one is no tensor.
        GraphDataError: If a mask has another type or shape, is empty though it is needed, overlaps
            another, or selects a node without a label.
    """
    masks = dict(zip(PARTS, (train_mask, val_mask, test_mask), strict=True))
    for name, value in {"y": y, **{f"{part}_mask": mask for part, mask in masks.items()}}.items():
        check_tensor(name, value)
    faults = Faults()
    for part, mask in masks.items():
        with faults:
            _check_mask(f"{part}_mask", mask, y)
            if part in needed and not bool(mask.any()):
                raise GraphDataError(f"{part}_mask must select at least one node, it selects none")
    faults.tell()
    for first, second in combinations(PARTS, 2):
        shared = (masks[first] & masks[second]).nonzero()
        if shared.numel():
            raise GraphDataError(
                f"{first}_mask and {second}_mask must be disjoint, found {len(shared)} nodes in "
                f"both, the first is node {int(shared[0])}"
            )


def _check_mask(name: str, mask: Tensor, y: Tensor) -> None:
    if mask.dtype != torch.bool or mask.shape != y.shape:
        raise GraphDataError(
            f"{name} must be bool of shape ({y.numel()},), got {mask.dtype} of shape "
            f"{tuple(mask.shape)}"
        )
    unknown = (mask & (y < 0)).nonzero()
    if unknown.numel():
        raise GraphDataError(
            f"{name} must select nodes with a label, {len(unknown)} have none, "
            f"the first is node {int(unknown[0])}"
        )
