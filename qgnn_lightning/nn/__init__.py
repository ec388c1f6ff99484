"""Layers and networks: quantized linear maps, messages and propagations."""

from qgnn_lightning.nn._affine import AffinePropagation
from qgnn_lightning.nn._calibration import calibrate
from qgnn_lightning.nn._delta_sigma_messages import DeltaSigmaMessages
from qgnn_lightning.nn._direct_messages import DirectMessages
from qgnn_lightning.nn._elastic import ElasticPropagation
from qgnn_lightning.nn._error_bound import ErrorBound, contraction, error_bound, exact_steps
from qgnn_lightning.nn._factory import (
    PropagationConfig,
    make_messages,
    make_propagation,
)
from qgnn_lightning.nn._gcn_conv import QuantizedGCNConv
from qgnn_lightning.nn._linear import QuantizedLinear
from qgnn_lightning.nn._messages import Messages
from qgnn_lightning.nn._networks import (
    ArchitectureName,
    GraphNetwork,
    NetworkConfig,
    PropagatingNetwork,
    QuantizedGNN,
)
from qgnn_lightning.nn._parameter_groups import change_rates, parameter_groups
from qgnn_lightning.nn._personalized import PersonalizedPropagation, PowerPropagation
from qgnn_lightning.nn._propagation import Propagation, as_adjacency
from qgnn_lightning.nn._smoothness_aware import SmoothnessAwarePropagation
from qgnn_lightning.nn._step import Recurrence, State, Step
from qgnn_lightning.nn._unrolled_multiplier import (
    ReleasedCodePropagation,
    UnrolledMultiplierPropagation,
)

__all__ = [
    "AffinePropagation",
    "ArchitectureName",
    "DeltaSigmaMessages",
    "DirectMessages",
    "ElasticPropagation",
    "ErrorBound",
    "GraphNetwork",
    "Messages",
    "NetworkConfig",
    "PersonalizedPropagation",
    "PowerPropagation",
    "PropagatingNetwork",
    "Propagation",
    "PropagationConfig",
    "QuantizedGCNConv",
    "QuantizedGNN",
    "QuantizedLinear",
    "Recurrence",
    "ReleasedCodePropagation",
    "SmoothnessAwarePropagation",
    "State",
    "Step",
    "UnrolledMultiplierPropagation",
    "as_adjacency",
    "calibrate",
    "change_rates",
    "contraction",
    "error_bound",
    "exact_steps",
    "make_messages",
    "make_propagation",
    "parameter_groups",
]
