"""The candidates of a whole propagation: libraries, ours in float32, simulated and packed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.bench._candidate import Candidate
from qgnn_lightning.bench._float32 import PEERS, exact, peer
from qgnn_lightning.deploy._packed_network import kernel_grid, packed_graph
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import Propagation, PropagationConfig, make_propagation
from qgnn_lightning.quantization import Precision, Quantizer

Form = Literal["direct", "delta_sigma"]
FORMS: dict[str, Form] = {"direct": "direct", "delta": "delta_sigma"}
_SENT = {
    "direct": "a step sends the features themselves",
    "delta": "a step sends the change, the rounding error fed back (delta-sigma)",
}
FLOAT_BYTES = 4
#: Planes of 8 bits that an integer of 32 bits consists of.
_PLANES = 4


@dataclass(frozen=True, eq=False)
class PropagationTask:
    r"""Propagate features with a restart, :math:`H' = (1 - r) \hat A H + r X_0`, in K steps.

    Args:
        adjacency: The graph, unweighted.
        x: Features of the nodes, float32.
        num_steps: Steps :math:`K`, at least 1.
        restart: Weight :math:`r` of the input, in (0, 1).
        residual_bits: Bits of the stored residual of delta-sigma messages.

    Shapes:
        x: ``(num_nodes, num_features)``.

    Raises:
        ValueError: If an argument is out of range.
    """

    adjacency: Adjacency
    x: Tensor
    num_steps: int = 10
    restart: float = 0.1
    residual_bits: Literal[8, 16] = 16

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}")
        if not 0 < self.restart < 1:
            raise ValueError(f"restart must be in (0, 1), got {self.restart}")
        if self.adjacency.value is not None:
            raise ValueError("adjacency must be unweighted to be measured")

    @property
    def names(self) -> list[str]:
        """Names of all candidates."""
        return list(self._makers)

    def candidate(self, name: str) -> Candidate:
        """Make a candidate; the packed and simulated ones are calibrated on the features.

        Args:
            name: One of :attr:`names`.
        """
        with torch.no_grad():
            return self._makers[name]()

    def exact(self) -> Tensor:
        """The result in float64."""
        strengths = [0.0] * self.num_steps
        return exact(self.x, self.adjacency, self._float32.recurrence, strengths)

    @cached_property
    def _makers(self) -> dict[str, Callable[[], Candidate]]:
        makers: dict[str, Callable[[], Candidate]] = {}
        for name in PEERS:
            makers[name] = partial(self._peer, name)
        makers["fp32-ours"] = self._ours
        makers["int32-sum"] = self._control
        for family, make in (("fake-", self._fake), ("", self._packed)):
            for num_bits in (8, 4, 2):
                for form in FORMS:
                    makers[f"{family}int{num_bits}-{form}"] = partial(make, num_bits, form)
        return makers

    @property
    def _float_bytes(self) -> int:
        return FLOAT_BYTES * self.x.numel()

    @cached_property
    def _float32(self) -> Propagation:
        return self._propagation("direct", 32).eval()

    def _propagation(self, form: Form, num_bits: int) -> Propagation:
        config = PropagationConfig(
            "personalized",
            form,
            num_steps=self.num_steps,
            restart=self.restart,
            residual_bits=self.residual_bits,
        )
        return make_propagation(config, Precision(message=num_bits)).to(self.x.device)

    @cached_property
    def _calibrated(self) -> dict[tuple[int, str], Propagation]:
        return {}

    def _quantized(self, num_bits: int, form: str) -> Propagation:
        """A quantized propagation whose ranges are those of the features, from one pass."""
        key = num_bits, form
        if key not in self._calibrated:
            propagation = self._propagation(FORMS[form], num_bits).train()
            propagation(self.x, self.adjacency)
            self._calibrated[key] = propagation.eval()
        return self._calibrated[key]

    def grids(self, num_bits: int, form: str) -> list[kernels.Grid]:
        """Grid of each step's message.

        Args:
            num_bits: 2, 4 or 8.
            form: ``direct`` or ``delta``.
        """
        grids = []
        for quantizer in self._quantized(num_bits, form).messages.quantizers:
            assert isinstance(quantizer, Quantizer)
            grid = quantizer.grid()
            assert grid is not None
            grids.append(kernel_grid(grid))
        return grids

    def _peer(self, name: str) -> Candidate:
        strengths = [0.0] * self.num_steps
        propagate = peer(name, self.adjacency, self._float32.recurrence, strengths)
        run = partial(propagate, self.x)
        return Candidate(name, "fp32", PEERS[name][0], run, self._float_bytes)

    def _ours(self) -> Candidate:
        run = partial(self._float32, self.x, self.adjacency)
        text = "our layer in evaluation mode, nothing quantized"
        return Candidate("fp32-ours", "fp32", text, run, self._float_bytes)

    def _control(self) -> Candidate:
        packed = wide_planes(wide_codes(self.x))
        run = partial(sums_of_planes, packed, self._graph, self.x.shape[1], self.num_steps)
        text = "control: only the sums, our kernel on 32-bit integers (four planes of 8 bits)"
        return Candidate("int32-sum", "control", text, run, self._float_bytes)

    def _fake(self, num_bits: int, form: str) -> Candidate:
        run = partial(self._quantized(num_bits, form), self.x, self.adjacency)
        name = f"fake-int{num_bits}-{form}"
        text = "our layer in evaluation mode, bits simulated in float32"
        return Candidate(name, "fake", text, run, self._float_bytes)

    @cached_property
    def _graph(self) -> kernels.PackedGraph:
        return packed_graph(self.adjacency)

    def _packed(self, num_bits: int, form: str) -> Candidate:
        layer, grids = self._quantized(num_bits, form), self.grids(num_bits, form)
        recurrence = layer.recurrence
        coefficients = kernels.StepCoefficients(
            recurrence.keep, recurrence.neighbours, recurrence.restart
        )
        prepared = kernels.PreparedPropagation(
            self._graph, grids, coefficients, FORMS[form], self.residual_bits
        )
        layout = kernels.PackedLayout(self.x.shape[1], num_bits)
        return Candidate(
            f"int{num_bits}-{form}",
            "packed",
            f"packed integers; {_SENT[form]}",
            partial(prepared, self.x),
            self.x.shape[0] * layout.row_bytes,
            twin=partial(layer, self.x, self.adjacency),
        )


def wide_codes(x: Tensor) -> Tensor:
    """Integers of 24 bits in proportion to ``x``; sums over 256 neighbours fit into 32 bits.

    Shapes:
        x: any -> same, int64.
    """
    low, high = x.min(), x.max()
    span = (high - low).clamp(min=1e-30)
    return ((x - low).double() / span * (2**24 - 1)).long()


def wide_planes(codes: Tensor) -> Tensor:
    """Integers below 2^32 as four packed planes of 8 bits, side by side.

    Shapes:
        codes: ``(rows, features)``, int64 -> ``(rows, row_bytes of 4 * features)``, uint8.
    """
    planes = [(codes >> (8 * plane)) & 255 for plane in range(_PLANES)]
    return kernels.pack(torch.cat(planes, dim=1).to(torch.uint8), 8)


def sums_of_planes(
    packed: Tensor, graph: kernels.PackedGraph, num_features: int, num_steps: int
) -> Tensor:
    """Sum four planes over the neighbours, as often as there are steps.

    Shapes:
        packed: from :func:`wide_planes` -> ``(num_nodes, 4 * num_features)``, int32.
    """
    for _ in range(num_steps):
        total = kernels.neighbour_sum(
            packed, graph.rowptr, graph.col, num_bits=8, num_features=_PLANES * num_features
        )
    return total
