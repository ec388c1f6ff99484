"""What ends a training that has gone wrong: NaN or infinity, and where it is first."""

from __future__ import annotations

from torch import Tensor, nn


class NonFiniteError(RuntimeError):
    """The training produced NaN or infinity."""


def check_finite_state(network: nn.Module, step: int) -> None:
    """Refuse a broken network before it replaces a checkpoint.

    Args:
        network: The network.
        step: Number of the optimizer step.

    Raises:
        NonFiniteError: If a weight or a range is NaN or infinite.
    """
    name = _first_bad_layer(network)
    if name is not None:
        raise NonFiniteError(
            f"no checkpoint is written after step {step}: the first bad layer is "
            f"network.{name}; try a lower learning_rate"
        )


def check_finite_loss(loss: Tensor, network: nn.Module, step: int) -> None:
    """Refuse a loss that no descent can start from.

    Args:
        loss: The loss, one number.
        network: The network that gave it.
        step: Number of the optimizer step.

    Raises:
        NonFiniteError: If it is NaN or infinite.
    """
    if bool(loss.isfinite()):
        return
    name = _first_bad_layer(network)
    if name is not None:
        raise NonFiniteError(
            f"loss is {loss.item()} in step {step}: the first bad layer is "
            f"network.{name}; try a lower learning_rate"
        )
    raise NonFiniteError(
        f"loss is {loss.item()} in step {step}, though every weight and range "
        "is finite: check the features, and try a lower learning_rate"
    )


def _first_bad_layer(network: nn.Module) -> str | None:
    state = network.state_dict()
    return next((name for name in state if not bool(state[name].isfinite().all())), None)
