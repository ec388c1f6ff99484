"""The candidates of a whole network, end to end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.bench._candidate import Candidate
from qgnn_lightning.bench._float32 import PEERS, exact, peer
from qgnn_lightning.bench._weights import Weights, float_propagation, simulated
from qgnn_lightning.deploy import PackedGNN, freeze, save_packed
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import NetworkConfig, QuantizedGNN
from qgnn_lightning.quantization import Precision

#: Of this peer the two parts are timed as well.
_TIMED_IN_PARTS = "fp32-sum"


@dataclass(frozen=True, eq=False)
class Quantized:
    """A packed network and the one that simulates it.

    Args:
        packed: The packed network.
        fake: The fake-quantized network, a function of the features and the graph.
    """

    packed: PackedGNN
    fake: Callable[..., Tensor]

    @classmethod
    def of(cls, network: QuantizedGNN) -> Quantized:
        """Of a network that has been trained or calibrated."""
        return cls(freeze(network), network.eval())


@dataclass(frozen=True, eq=False)
class ModelTask:
    """Class scores of all nodes.

    Args:
        adjacency: The graph, unweighted.
        x: Features of the nodes, float32.
        weights: The network with nothing rounded.
        quantized: The quantized networks by name, such as ``int2``.

    Shapes:
        x: ``(num_nodes, num_features)``.
    """

    adjacency: Adjacency
    x: Tensor
    weights: Weights
    quantized: Mapping[str, Quantized]

    @property
    def names(self) -> list[str]:
        """Names of all candidates."""
        return list(self._makers)

    def candidate(self, name: str) -> Candidate:
        """Make a candidate.

        Args:
            name: One of :attr:`names`.
        """
        with torch.no_grad():
            return self._makers[name]()

    def exact(self) -> Tensor:
        """The scores in float64."""
        weights = self.weights.double()
        propagate = partial(
            exact,
            adjacency=self.adjacency,
            recurrence=weights.recurrence,
            strengths=weights.strengths,
        )
        return weights.scores(self.x.double(), propagate)

    @cached_property
    def _makers(self) -> dict[str, Callable[[], Candidate]]:
        makers: dict[str, Callable[[], Candidate]] = {}
        for name in PEERS:
            makers[name] = partial(self._peer, name)
        makers["fp32-ours"] = self._ours
        for name in self.quantized:
            makers[f"fake-{name}"] = partial(self._fake, name)
        for name in self.quantized:
            makers[name] = partial(self._packed, name)
        return makers

    def _float(
        self,
        name: str,
        description: str,
        propagate: Callable[[Tensor], Tensor],
        parts: Mapping[str, Callable[[], Tensor]] | None = None,
    ) -> Candidate:
        run = partial(self.weights.scores, self.x, propagate)
        num_bytes = 4 * self.x.shape[0] * self.weights.width
        return Candidate(
            name, "fp32", description, run, num_bytes, self.weights.num_bytes, parts=parts or {}
        )

    def _peer(self, name: str) -> Candidate:
        weights = self.weights
        propagate = peer(name, self.adjacency, weights.recurrence, weights.strengths)
        parts: dict[str, Callable[[], Tensor]] = {}
        if name == _TIMED_IN_PARTS:
            start = weights.start(self.x)
            parts["encoder"] = partial(weights.linear_part, self.x, start)
            parts["propagation"] = partial(propagate, start)
        return self._float(name, f"linear, relu, linear; {PEERS[name][0]}", propagate, parts)

    def _ours(self) -> Candidate:
        propagate = partial(float_propagation(self.weights), graph=self.adjacency)
        return self._float(
            "fp32-ours", "linear, relu, linear; our propagation, nothing quantized", propagate
        )

    def _fake(self, name: str) -> Candidate:
        return Candidate(
            f"fake-{name}",
            "fake",
            "our network in evaluation mode, bits simulated in float32",
            partial(self.quantized[name].fake, self.x, self.adjacency),
            4 * self.x.shape[0] * self.weights.width,
            self.weights.num_bytes,
        )

    def _packed(self, name: str) -> Candidate:
        packed = self.quantized[name].packed
        start = _packed_start(packed, self.x)
        bits = packed.propagation.grids[0].num_bits
        layout = kernels.PackedLayout(self.weights.width, bits)
        return Candidate(
            name,
            "packed",
            f"packed network, {packed.propagation.form.replace('_', '-')} messages",
            partial(packed, self.x, self.adjacency),
            self.x.shape[0] * layout.row_bytes,
            _file_size(packed),
            twin=partial(self.quantized[name].fake, self.x, self.adjacency),
            parts={
                "encoder": partial(_packed_linear_part, packed, self.x, start),
                "propagation": partial(packed.propagation, start, self.adjacency),
            },
        )


def _packed_start(packed: PackedGNN, x: Tensor) -> Tensor:
    if packed.order == "embed":
        return packed.encoder(x, relu=True)
    return packed.classifier(packed.encoder(x, relu=True, out=packed.classifier.input_grid))


def _packed_linear_part(packed: PackedGNN, x: Tensor, propagated: Tensor) -> Tensor:
    start = _packed_start(packed, x)
    return start if packed.order == "encode" else packed.classifier(propagated)


def _file_size(packed: PackedGNN) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save_packed(packed, path)
        return path.stat().st_size


def random_task(
    adjacency: Adjacency,
    x: Tensor,
    num_classes: int,
    config: NetworkConfig,
    bits: tuple[int, ...] = (8, 4, 2),
) -> ModelTask:
    """A network with random weights, calibrated on the features in one pass per number of bits.

    Args:
        adjacency: The graph.
        x: Features of the nodes.
        num_classes: Number of classes.
        config: The network; its precision is not used.
        bits: Bits of all operand stages, one quantized network each.

    Raises:
        ValueError: If an argument is out of range.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    config = replace(config, dropout=0.0, precision=Precision())
    network = QuantizedGNN(x.shape[1], num_classes, config)
    strengths = tuple([0.0] * config.propagation.num_steps)
    quantized = {}
    for num_bits in bits:
        twin = QuantizedGNN(
            x.shape[1], num_classes, replace(config, precision=Precision.operands(num_bits))
        )
        twin.load_state_dict(network.state_dict(), strict=False)
        with torch.no_grad():
            twin.train()(x, adjacency)
        quantized[f"int{num_bits}"] = Quantized.of(twin)
    return ModelTask(adjacency, x, Weights.of_network(network, strengths), quantized)


def ckpt_task(adjacency: Adjacency, x: Tensor, network: QuantizedGNN) -> ModelTask:
    """A trained network.

    Args:
        adjacency: The graph.
        x: Features of the nodes.
        network: The network.

    Raises:
        ValueError: If the network has no packed form.
    """
    quantized = Quantized.of(network)
    weights = Weights.of_network(network, quantized.packed.propagation.strengths)
    return ModelTask(adjacency, x, weights, {"packed": quantized})


def packed_task(adjacency: Adjacency, x: Tensor, packed: PackedGNN) -> ModelTask:
    """A packed network; in float32 its weights are the numbers that the codes stand for.

    Args:
        adjacency: The graph.
        x: Features of the nodes.
        packed: The network.
    """
    quantized = Quantized(packed, simulated(packed))
    return ModelTask(adjacency, x, Weights.of_packed(packed), {"packed": quantized})
