"""The parts of a packed network and what they compute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.graph import Adjacency, check_tensor
from qgnn_lightning.kernels.by_fields import CopiedByFields
from qgnn_lightning.kernels.validation import to_int32
from qgnn_lightning.nn import (
    AffinePropagation,
    DeltaSigmaMessages,
    DirectMessages,
    Messages,
    Recurrence,
)
from qgnn_lightning.quantization import FrozenQuantizer, Grid

PACKED_BITS = kernels.SUPPORTED_BITS


@dataclass(frozen=True, eq=False, repr=False)
class PackedLinear(CopiedByFields):
    """A linear layer on codes.

    Args:
        in_features: Number of input features.
        weight: Packed codes of the weights, one row per output feature, uint8.
        weight_grid: Their grid, one scale and zero point per row.
        bias: Added to the result, float32.
        input_grid: Grid of the features.

    Shapes:
        weight: ``(out_features, row_bytes)``; bias: ``(out_features,)``.
    """

    in_features: int
    weight: Tensor
    weight_grid: Grid
    bias: Tensor
    input_grid: Grid

    @property
    def out_features(self) -> int:
        """Number of output features."""
        return self.bias.numel()

    @property
    def num_bytes(self) -> int:
        """Bytes of codes, scales, zero points and biases in a file."""
        grids = (self.input_grid, self.weight_grid)
        return self.weight.nbytes + self.bias.nbytes + sum(map(grid_bytes, grids))

    def __repr__(self) -> str:
        return (
            f"PackedLinear({self.in_features} -> {self.out_features}, "
            f"input {self.input_grid.num_bits} bits, weight {self.weight_grid.num_bits} bits, "
            f"{self.num_bytes:,} bytes)"
        )

    @cached_property
    def _centred_weight(self) -> kernels.LinearWeight:
        grid = self.weight_grid
        codes = kernels.unpack(self.weight, grid.num_bits, self.in_features)
        scale = grid.scale.reshape(-1).expand(self.out_features).contiguous()
        centred = codes.to(torch.int16) * grid.stride - grid.zero_point.to(torch.int16)
        return kernels.LinearWeight(centred, scale, self.bias)

    def __call__(self, x: Tensor, *, relu: bool = False, out: Grid | None = None) -> Tensor:
        """Apply the layer.

        Args:
            x: Features: float32, dense or torch.sparse CSR; or their packed codes, uint8.
            relu: Whether to replace negative results by 0.
            out: Return packed codes on this grid instead of real numbers.

        Shapes:
            x: ``(num_nodes, in_features)``, packed ``(num_nodes, row_bytes)`` ->
            ``(num_nodes, out_features)``, or packed.
        """
        prepared = self.prepared(relu=relu, out=out)
        result = apply(prepared, x)
        return result if out is None or prepared.out_grid is not None else pack_on(out, result)

    def prepared(self, *, relu: bool = False, out: Grid | None = None) -> kernels.PreparedLinear:
        """The layer but for its input, and but for packing on grids of bitwise truncation."""
        if (relu, out) not in self._prepared:
            self._prepared[relu, out] = kernels.PreparedLinear(
                kernel_grid(self.input_grid),
                self._centred_weight,
                relu,
                None if out is None or out.stride != 1 else kernel_grid(out),
            )
        return self._prepared[relu, out]

    @cached_property
    def _prepared(self) -> dict[tuple[bool, Grid | None], kernels.PreparedLinear]:
        return {}


@dataclass(frozen=True, eq=False, repr=False)
class PackedPropagation(CopiedByFields):
    """A propagation on codes.

    Args:
        form: ``direct`` or ``delta_sigma``.
        recurrence: Coefficients of a step.
        grids: Grid of each step's message.
        residual_bits: Bits of the stored residual (``delta_sigma``).
        strengths: Factor of each step's correction; all 0 runs as one fused call.
        change_grids: Grid of each step's second message, where its correction is not 0.
    """

    form: Literal["direct", "delta_sigma"]
    recurrence: Recurrence
    grids: tuple[Grid, ...]
    residual_bits: Literal[8, 16]
    strengths: tuple[float, ...]
    change_grids: tuple[Grid | None, ...]

    @property
    def num_steps(self) -> int:
        """Number of steps."""
        return len(self.grids)

    @property
    def num_bytes(self) -> int:
        """Bytes of scales and zero points in a file."""
        return sum(grid_bytes(grid) for grid in (*self.grids, *self.change_grids) if grid)

    def __repr__(self) -> str:
        return (
            f"PackedPropagation({self.num_steps} steps, {self.form} messages "
            f"{self.grids[0].num_bits} bits, {self.num_bytes:,} bytes)"
        )

    def __call__(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Propagate.

        Shapes:
            x: ``(num_nodes, num_features)``, float32 -> same.
        """
        prepared = self.prepared(adjacency)
        result: Tensor = self._step_by_step(x, adjacency) if prepared is None else prepared(x)
        return result

    def prepared(self, adjacency: Adjacency) -> kernels.PreparedPropagation | None:
        """The propagation on a graph but for its input; none with corrections or weights."""
        if adjacency not in self._prepared:
            self._prepared[adjacency] = self._prepare(adjacency)
        return self._prepared[adjacency]

    @cached_property
    def _prepared(self) -> WeakKeyDictionary[Adjacency, kernels.PreparedPropagation | None]:
        return WeakKeyDictionary()

    def _prepare(self, adjacency: Adjacency) -> kernels.PreparedPropagation | None:
        if any(self.strengths) or adjacency.value is not None:
            return None
        recurrence = self.recurrence
        return kernels.PreparedPropagation(
            packed_graph(adjacency),
            [kernel_grid(grid) for grid in self.grids],
            kernels.StepCoefficients(recurrence.keep, recurrence.neighbours, recurrence.restart),
            self.form,
            self.residual_bits,
        )

    @cached_property
    def _step_by_step(self) -> AffinePropagation:
        """The same steps one by one: with second messages, or on weighted graphs."""
        quantizers = [FrozenQuantizer(grid) for grid in self.grids]
        spare = self.grids[0]
        changes = [FrozenQuantizer(spare if grid is None else grid) for grid in self.change_grids]
        messages: Messages
        if self.form == "direct":
            messages = DirectMessages(quantizers, changes)
        else:
            messages = DeltaSigmaMessages(quantizers, changes, self.residual_bits)
        return AffinePropagation(self.recurrence, messages, list(self.strengths)).eval()


@dataclass(frozen=True, eq=False, repr=False)
class PackedGNN(CopiedByFields):
    """A network of packed codes: two linear layers and a propagation, in either order.

    Args:
        order: ``encode``: to class scores, then propagate; ``embed``: propagate hidden
            features, then classify.
        encoder: First linear layer.
        classifier: Second linear layer.
        propagation: The propagation.
        class_names: What the classes are called, or ``None`` where they have numbers only.
        column_names: What the features are called, or ``None`` where they are not named.

    Raises:
        ValueError: If the names are not one per class or feature, all of them different.
    """

    order: Literal["encode", "embed"]
    encoder: PackedLinear
    classifier: PackedLinear
    propagation: PackedPropagation
    class_names: tuple[str, ...] | None = None
    column_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for field, count in (
            ("class_names", self.num_classes),
            ("column_names", self.num_features),
        ):
            names = getattr(self, field)
            if names is not None and (len(names), len(set(names))) != (count, count):
                raise ValueError(f"{field} must be {count} different texts, got {len(names)}")

    @property
    def num_features(self) -> int:
        """Size of the input."""
        return self.encoder.in_features

    @property
    def num_classes(self) -> int:
        """Size of the output."""
        return self.classifier.out_features

    def __repr__(self) -> str:
        names = ("encoder", "propagation", "classifier")
        if self.order == "encode":
            names = ("encoder", "classifier", "propagation")
        lines = (f"\n  {name}: {getattr(self, name)!r}" for name in names)
        return f"PackedGNN({''.join(lines)}\n)"

    def __call__(self, x: Tensor, graph: Tensor | Adjacency) -> Tensor:
        """Class scores, also on a graph that the network was not trained on.

        Args:
            x: Features of the nodes, float32 and finite, dense or torch.sparse CSR.
            graph: PyG's ``edge_index``, with both directions of every undirected edge; or an
                :class:`Adjacency` built once.

        Shapes:
            x: ``(num_nodes, num_features)`` -> ``(num_nodes, num_classes)``.

        Raises:
            TypeError: If ``x`` or ``graph`` is no tensor, but an array of numpy, say.
            ValueError: If ``x`` has another number of features or nodes, type or layout, or is not
                finite; or ``graph`` is no graph, or not of float32.
        """
        check_tensor("x", x)
        if not isinstance(graph, Adjacency):
            check_tensor("graph", graph)
        if x.dim() != 2 or x.shape[1] != self.num_features or x.dtype != torch.float32:
            raise ValueError(
                f"x must be float32 of shape (num_nodes, {self.num_features}), "
                f"got {x.dtype} of shape {tuple(x.shape)}"
            )
        if x.layout not in (torch.strided, torch.sparse_csr) or x.device.type == "meta":
            raise ValueError(
                f"x must be dense or torch.sparse CSR, with values, got {x.layout} on {x.device}"
            )
        if not isinstance(graph, Adjacency):
            graph = Adjacency.from_edge_index(graph, x.shape[0])
        elif graph.degree.dtype != torch.float32:
            raise ValueError(
                "graph must have degrees of torch.float32, the dtype of Adjacency.from_edge_index, "
                f"got {graph.degree.dtype}"
            )
        elif graph.num_nodes != x.shape[0]:
            raise ValueError(
                f"x must have a row for each of the {graph.num_nodes} nodes of the graph, "
                f"got {x.shape[0]}"
            )
        network = self._prepared(graph)
        if network is None:
            return self._in_parts(x, graph)
        return apply(network, x.detach())

    @torch.no_grad()
    def _in_parts(self, x: Tensor, graph: Adjacency) -> Tensor:
        if self.order == "encode":
            hidden = self.encoder(x, relu=True, out=self.classifier.input_grid)
            return self.propagation(self.classifier(hidden), graph)
        return self.classifier(self.propagation(self.encoder(x, relu=True), graph))

    def _prepared(self, adjacency: Adjacency) -> kernels.PreparedNetwork | None:
        """The network on a graph as one call, if there is one."""
        try:
            return self._networks[adjacency]
        except KeyError:
            return self._networks.setdefault(adjacency, self._prepare(adjacency))

    @cached_property
    def _networks(self) -> WeakKeyDictionary[Adjacency, kernels.PreparedNetwork | None]:
        return WeakKeyDictionary()

    def _prepare(self, adjacency: Adjacency) -> kernels.PreparedNetwork | None:
        encoder = self.encoder.prepared(relu=True, out=self.classifier.input_grid)
        propagation = self.propagation.prepared(adjacency)
        if self.order == "embed" or encoder.out_grid is None or propagation is None:
            return None
        return kernels.PreparedNetwork(encoder, self.classifier.prepared(), propagation)


def grid_bytes(grid: Grid) -> int:
    """Of scales in four bytes and zero points in two, as a file has them."""
    return 6 * grid.scale.numel()


def kernel_grid(grid: Grid) -> kernels.Grid:
    """A grid for a whole tensor, as the kernels take it."""
    return kernels.Grid(
        grid.num_bits, float(grid.scale), int(grid.zero_point), grid.stride, grid.shift
    )


def apply(prepared: kernels.PreparedLinear | kernels.PreparedNetwork, x: Tensor) -> Tensor:
    """What is prepared, applied to features: dense or sparse, or packed already."""
    if x.layout == torch.sparse_csr:
        return prepared.sparse(x.crow_indices().to(torch.int64), x.col_indices(), x.values())
    return prepared.packed(x) if x.dtype == torch.uint8 else prepared.dense(x)


def pack_on(grid: Grid, x: Tensor) -> Tensor:
    """Packed codes of real numbers."""
    return kernels.quantize_pack(x, kernel_grid(grid))


_PACKED_GRAPHS: WeakKeyDictionary[Adjacency, kernels.PackedGraph] = WeakKeyDictionary()


def packed_graph(adjacency: Adjacency) -> kernels.PackedGraph:
    """The graph as the kernels read it, made and checked once for each adjacency."""
    if adjacency not in _PACKED_GRAPHS:
        _PACKED_GRAPHS[adjacency] = kernels.PackedGraph(
            adjacency.rowptr,
            to_int32("col", adjacency.col),
            adjacency.inv_degree.flatten(),
            adjacency.inv_sqrt_degree.flatten(),
            adjacency.sqrt_degree.flatten(),
        )
    return _PACKED_GRAPHS[adjacency]
