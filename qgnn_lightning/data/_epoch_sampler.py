"""What the samplers of parts and of training nodes share: their process, and the epoch."""

from __future__ import annotations


class EpochSampler:
    """Draws other batches in every epoch, for one of several processes.

    Args:
        rank: Number of this process.
        world_size: Number of processes.
    """

    def __init__(self, rank: int, world_size: int) -> None:
        self._rank = rank
        self._world_size = world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; Lightning calls it before every epoch.

        Args:
            epoch: Number of the epoch.
        """
        self._epoch = epoch
