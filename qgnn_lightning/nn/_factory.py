"""From the names in a configuration to messages and propagations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from qgnn_lightning.constraints import Budget, EdgeBudget, EnergyBudget
from qgnn_lightning.nn._delta_sigma_messages import DeltaSigmaMessages
from qgnn_lightning.nn._direct_messages import DirectMessages
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._personalized import PersonalizedPropagation, PowerPropagation
from qgnn_lightning.nn._propagation import Propagation
from qgnn_lightning.nn._smoothness_aware import SmoothnessAwarePropagation
from qgnn_lightning.nn._unrolled_multiplier import (
    ReleasedCodePropagation,
    UnrolledMultiplierPropagation,
)
from qgnn_lightning.quantization import (
    Precision,
    Quantizer,
    QuantizerName,
    as_precision,
    make_quantizer,
)

MessagesName = Literal["auto", "direct", "delta_sigma"]
PropagationName = Literal[
    "smoothness_aware", "unrolled_multiplier", "released_code", "personalized", "powers"
]
_CONSTRAINED: dict[str, Callable[..., Propagation]] = {
    "smoothness_aware": SmoothnessAwarePropagation,
    "unrolled_multiplier": UnrolledMultiplierPropagation,
    "released_code": ReleasedCodePropagation,
}


@dataclass(frozen=True)
class PropagationConfig:
    r"""Which propagation, with which messages.

    Args:
        propagation: ``smoothness_aware`` (default), ``unrolled_multiplier`` (the paper's),
            ``released_code`` (the authors' code), ``personalized`` (APPNP) or ``powers`` (SGC).
        messages: ``direct``, ``delta_sigma``, or ``auto``: delta-sigma below 8 bits.
        num_steps: Number of steps :math:`K`, at least 1.
        smoothing: Weight :math:`\mu` of the smoothness (constrained propagations).
        step_size: Step :math:`\eta` (constrained propagations).
        restart: Weight of the input (``personalized``).
        budget: Limit of the energy of the change per step.
        budget_unit: ``input_energy``, a fraction of the input's energy, or ``per_edge``.
        dual_step_size: Step of the ascent on the multipliers.
        residual_bits: Bits of the stored residual of delta-sigma messages, 8 or 16.

    Raises:
        ValueError: If ``num_steps`` is below 1, or ``budget`` is not positive.
    """

    propagation: PropagationName = "smoothness_aware"
    messages: MessagesName = "auto"
    num_steps: int = 10
    smoothing: float = 9.0
    step_size: float = 0.1
    restart: float = 0.1
    budget: float = 2.0
    budget_unit: Literal["input_energy", "per_edge"] = "input_energy"
    dual_step_size: float = 0.1
    residual_bits: Literal[8, 16] = 16

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}")
        if not self.budget > 0:
            raise ValueError(f"budget must be positive, got {self.budget}")
        _check_choice("propagation", self.propagation, PropagationName)
        _check_choice("messages", self.messages, MessagesName)


def _check_choice(name: str, value: str, choices: object) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {get_args(choices)}, got {value!r}")


def make_messages(
    config: PropagationConfig, precision: Precision, make: Callable[[int], Quantizer]
) -> Messages:
    """Make the messages of a propagation.

    Args:
        config: Which messages.
        precision: Bits of the stages.
        make: Makes a quantizer for a number of bits.

    Raises:
        ValueError: If delta-sigma messages are combined with quantized aggregates or updates,
            whose rounding they cannot feed back.
    """

    def per_step(num_bits: int) -> list[Quantizer]:
        return [make(num_bits) for _ in range(config.num_steps)]

    changes = per_step(precision.message) if config.propagation in _CONSTRAINED else []
    rounded_after = min(precision.aggregate, precision.update) < 32
    delta_sigma = config.messages == "delta_sigma" or (
        config.messages == "auto" and precision.message < 8 and not rounded_after
    )
    if not delta_sigma:
        return DirectMessages(
            per_step(precision.message),
            changes,
            per_step(precision.aggregate),
            per_step(precision.update),
        )
    if rounded_after:
        raise ValueError(
            "messages='delta_sigma' feeds the rounding error of messages back, and needs the "
            f"aggregate and update stages at 32 bits, got {precision.aggregate} and "
            f"{precision.update}"
        )
    return DeltaSigmaMessages(per_step(precision.message), changes, config.residual_bits)


def make_budget(config: PropagationConfig) -> Budget:
    """Make the budget of a constrained propagation."""
    if config.budget_unit == "per_edge":
        return EdgeBudget(config.budget)
    return EnergyBudget(config.budget)


def make_propagation(
    config: PropagationConfig,
    precision: Precision | str | None = None,
    quantizer: QuantizerName = "least_squares",
    momentum: float = 0.1,
) -> Propagation:
    """Make a propagation.

    Args:
        config: Which propagation.
        precision: Bits of the stages, or the name of a preset; full precision by default.
        quantizer: How the stages are quantized.
        momentum: Weight of the newest range in a tracked one.

    Raises:
        ValueError: If an argument is out of range.
    """

    def make(num_bits: int) -> Quantizer:
        return make_quantizer(quantizer, num_bits, momentum)

    messages = make_messages(config, as_precision(precision), make)
    if config.propagation == "personalized":
        return PersonalizedPropagation(messages, config.restart)
    if config.propagation == "powers":
        return PowerPropagation(messages)
    return _CONSTRAINED[config.propagation](
        messages, config.smoothing, config.step_size, make_budget(config), config.dual_step_size
    )
