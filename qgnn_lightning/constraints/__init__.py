"""Constraints on the change per propagation step, and the multipliers that enforce them."""

from qgnn_lightning.constraints._budget import Budget, EdgeBudget, EnergyBudget
from qgnn_lightning.constraints._differential_multiplier import differential_multiplier_step
from qgnn_lightning.constraints._multiplier import Multipliers

__all__ = [
    "Budget",
    "EdgeBudget",
    "EnergyBudget",
    "Multipliers",
    "differential_multiplier_step",
]
