"""What is handed over where a tensor is meant."""

from __future__ import annotations

from torch import Tensor


def check_tensor(name: str, value: object) -> None:
    """Check that a value is a tensor, and not an array of numpy.

    Args:
        name: What the parameter is called.
        value: What was handed over for it.

    Raises:
        TypeError: If it is anything else.
    """
    if not isinstance(value, Tensor):
        kind = type(value)
        raise TypeError(
            f"{name} must be a torch.Tensor, got {kind.__module__}.{kind.__qualname__}: "
            "torch.from_numpy makes one of an array"
        )
