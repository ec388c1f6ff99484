"""How many nodes a random split takes, and whether a graph has as many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from qgnn_lightning.data._validation import GraphOptionError

_MOST_PER_CLASS = 20


@dataclass(frozen=True)
class SplitSizes:
    """The sizes of a random split.

    Args:
        num_train_per_class: Training nodes of each class that has nodes.
        num_val: Validation nodes, of any class.
        num_test: Test nodes, of any class.
    """

    num_train_per_class: int
    num_val: int
    num_test: int

    @classmethod
    def fitting(cls, class_sizes: Sequence[int], most: int = _MOST_PER_CLASS) -> SplitSizes | None:
        """Sizes with which a graph can be trained on: half of what is left is for the test.

        Args:
            class_sizes: Nodes of each class.
            most: Training nodes of each class, at most.

        Returns:
            The sizes, or ``None`` where the nodes are too few for any.
        """
        sizes = [size for size in class_sizes if size]
        of_class = max(min([most, *(size // 2 for size in sizes)]), 1)
        rest = sum(sizes) - of_class * len(sizes)
        return cls(of_class, max(rest // 4, 1), rest // 2) if rest >= 2 else None

    @property
    def options(self) -> str:
        """The sizes as they are typed."""
        return " ".join(f"--data.{name} {size}" for name, size in asdict(self).items())

    def advice(self, class_sizes: Sequence[int]) -> str:
        """What to type so that a graph without a split gets one, all of it at once.

        Args:
            class_sizes: Nodes of each class.
        """
        if self._fault(class_sizes) is None:
            return "add --data.split random"
        fitting = SplitSizes.fitting(class_sizes)
        if fitting is None:
            return _too_few(class_sizes)
        return f"add --data.split random {fitting.options}"

    def check(self, class_sizes: Sequence[int]) -> None:
        """Check that a graph has as many nodes.

        Args:
            class_sizes: Nodes of each class.

        Raises:
            GraphOptionError: If it has too few, with sizes that fit; or if a size is below 1.
        """
        for name, size in asdict(self).items():
            if size < 1:
                raise GraphOptionError(f"{name} must be at least 1, got {size}")
        fault = self._fault(class_sizes)
        if fault is None:
            return
        fitting = SplitSizes.fitting(class_sizes, self.num_train_per_class)
        hint = _too_few(class_sizes) if fitting is None else f"for example {fitting.options}"
        raise GraphOptionError(f"{fault}: {hint}")

    def _fault(self, class_sizes: Sequence[int]) -> str | None:
        asked = self.num_train_per_class
        for label, size in enumerate(class_sizes):
            if 0 < size < asked:
                return (
                    f"num_train_per_class={asked} must not exceed the nodes of any class, "
                    f"class {label} has {size}"
                )
        rest = sum(size - asked for size in class_sizes if size)
        if self.num_val + self.num_test <= rest:
            return None
        return (
            f"num_val + num_test must not exceed the {rest} nodes that are not trained on "
            f"(num_train_per_class={asked}), got {self.num_val} + {self.num_test}"
        )


def _too_few(class_sizes: Sequence[int]) -> str:
    return f"{sum(class_sizes)} nodes with a label are too few to draw a split"
