"""Images of handwritten digits, linked where they look alike; no download."""

from __future__ import annotations

import torch
from torch import Tensor

from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._splits import random_split

_NUM_NEIGHBOURS = 10
_MAX_PIXEL = 16
_NUM_TRAIN_PER_CLASS = 5
_NUM_VAL = 300


class DigitsSource(Source):
    """The 1,797 digits that scikit-learn carries, as a graph of nearest neighbours.

    The features are the 64 pixels in [0, 1]. Two images are neighbours where either is among
    the 10 nearest of the other. The public split is ours and fixed: 5 training images per
    class, 300 to validate, all others to test.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """

    def load(self) -> RawGraph:
        """Read the images and link them."""
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        pixels, y = torch.from_numpy(images), torch.from_numpy(labels).long()
        num_train = _NUM_TRAIN_PER_CLASS * int(y.max() + 1)
        split = random_split(
            y,
            num_train_per_class=_NUM_TRAIN_PER_CLASS,
            num_val=_NUM_VAL,
            num_test=y.numel() - num_train - _NUM_VAL,
            seed=0,
        )
        x = (pixels / _MAX_PIXEL).float()
        return RawGraph(x, nearest_neighbours(pixels, _NUM_NEIGHBOURS), y, split)


def nearest_neighbours(points: Tensor, num_neighbours: int) -> Tensor:
    """Link each point to its nearest ones, in both directions; nearer index first on a tie.

    Args:
        points: Integers, as float64: their squared distances are then exact, and the result
            is the same on every machine.
        num_neighbours: Number of nearest points of each.

    Shapes:
        points: ``(num_nodes, num_features)`` -> ``(2, num_edges)``.
    """
    num_nodes = points.shape[0]
    norm = (points * points).sum(1)
    distance = (norm[:, None] + norm - 2 * points @ points.T).long()
    rank = distance * num_nodes + torch.arange(num_nodes)
    rank.fill_diagonal_(torch.iinfo(torch.int64).max)
    nearest = rank.topk(num_neighbours, dim=1, largest=False).indices
    source, target = nearest.flatten(), torch.arange(num_nodes).repeat_interleave(num_neighbours)
    both = torch.cat([source * num_nodes + target, target * num_nodes + source])
    edge: Tensor = torch.unique(both)
    return torch.stack([edge // num_nodes, edge % num_nodes])
