"""Propagation in float32, put together from library calls: the peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qgnn_lightning.graph import Adjacency, sparse_csr
from qgnn_lightning.nn import Recurrence

#: Neighbours' part of a step plus a constant, both given: ``(h, constant) -> b Â h + constant``.
Product = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class FoldedPropagation:
    r"""All steps of a propagation, with every constant worked out beforehand.

    .. math:: \tilde H = b \hat A H_k + e X_0 + a H_k, \qquad
        H_{k+1} = \tilde H - c_k L (\tilde H - H_k)

    Args:
        product: Computes :math:`b \hat A h + r`.
        recurrence: Coefficients :math:`a, b, e`.
        strengths: Factor :math:`c_k` of each step's correction.
        basis: Column :math:`D^{1/2}` where the product is that of the basis
            :math:`z = D^{-1/2} h`.

    Shapes:
        x: ``(num_nodes, num_features)`` -> same.

    Raises:
        ValueError: If :math:`b` is 0: there would be nothing to propagate.
    """

    product: Product
    recurrence: Recurrence
    strengths: Sequence[float]
    basis: Tensor | None = None

    def __post_init__(self) -> None:
        if self.recurrence.neighbours == 0:
            raise ValueError("the weight of the neighbours must not be 0: nothing is propagated")

    def __call__(self, x: Tensor) -> Tensor:
        """Propagate."""
        keep, restart = self.recurrence.keep, self.recurrence.restart
        h = x if self.basis is None else x / self.basis
        constant = restart * h
        for strength in self.strengths:
            after = self.product(h, constant)
            if keep:
                after.add_(h, alpha=keep)
            h = self._corrected(h, after, strength) if strength else after
        return h if self.basis is None else h * self.basis

    def _corrected(self, before: Tensor, after: Tensor, strength: float) -> Tensor:
        change = after - before
        smoothed = self.product(change, torch.zeros_like(change))
        after.sub_(change, alpha=strength)
        return after.add_(smoothed, alpha=strength / self.recurrence.neighbours)


def _values(adjacency: Adjacency, gain: float, dtype: torch.dtype) -> Tensor:
    inverse = adjacency.degree.to(dtype).rsqrt()
    return gain * inverse[adjacency.row] * inverse[adjacency.col]


def csr_product(adjacency: Adjacency, gain: float, dtype: torch.dtype = torch.float32) -> Product:
    """Torch's CSR product with 32-bit indices; the constant is added within it."""
    rowptr, col = adjacency.rowptr.to(torch.int32), adjacency.col.to(torch.int32)
    size = (adjacency.num_nodes, adjacency.num_nodes)
    matrix = sparse_csr(rowptr, col, _values(adjacency, gain, dtype), size)
    return lambda h, constant: torch.addmm(constant, matrix, h)


def bag_product(adjacency: Adjacency, gain: float) -> Product:
    """Torch's embedding bag with one weight per entry."""
    bag = _bag(adjacency, _values(adjacency, gain, torch.float32))
    return lambda h, constant: bag(h).add_(constant)


def sum_product(adjacency: Adjacency, gain: float) -> Product:
    """Torch's embedding bag without weights, in the basis that needs none; one factor per row."""
    bag = _bag(adjacency, None)
    factor = gain * adjacency.inv_degree

    def product(h: Tensor, constant: Tensor) -> Tensor:
        total = bag(h)
        return torch.addcmul(constant, total, factor, out=total)

    return product


def _bag(adjacency: Adjacency, weight: Tensor | None) -> Callable[[Tensor], Tensor]:
    rowptr, col = adjacency.rowptr.to(torch.int32), adjacency.col.to(torch.int32)
    return lambda h: functional.embedding_bag(
        col, h, rowptr, mode="sum", per_sample_weights=weight, include_last_offset=True
    )


def pyg_product(adjacency: Adjacency, gain: float) -> Product:
    """PyG's MessagePassing: gather, multiply, scatter."""
    from qgnn_lightning.bench._message_passing import WeightedSum

    layer = WeightedSum()
    edge_index = torch.stack([adjacency.col, adjacency.row])
    weight = _values(adjacency, gain, torch.float32)

    def product(h: Tensor, constant: Tensor) -> Tensor:
        result: Tensor = layer(h, edge_index, weight)
        return result.add_(constant)

    return product


#: Name, description and product of each library peer.
PEERS: dict[str, tuple[str, Callable[[Adjacency, float], Product]]] = {
    "fp32-pyg": ("PyG MessagePassing: gather, multiply, scatter", pyg_product),
    "fp32-csr": ("torch CSR product, restart added within it", csr_product),
    "fp32-bag": ("torch embedding_bag sum, a weight per entry, restart in place", bag_product),
    "fp32-sum": ("torch embedding_bag sum without weights, a factor per row", sum_product),
}


def peer(
    name: str, adjacency: Adjacency, recurrence: Recurrence, strengths: Sequence[float]
) -> FoldedPropagation:
    """The propagation of a library peer.

    Args:
        name: A key of :data:`PEERS`.
        adjacency: An unweighted graph.
        recurrence: Coefficients of a step.
        strengths: Factor of each step's correction.
    """
    product = PEERS[name][1](adjacency, recurrence.neighbours)
    basis = adjacency.sqrt_degree if name == "fp32-sum" else None
    return FoldedPropagation(product, recurrence, strengths, basis)


def exact(
    x: Tensor, adjacency: Adjacency, recurrence: Recurrence, strengths: Sequence[float]
) -> Tensor:
    """The result in float64, which every candidate is compared with."""
    product = csr_product(adjacency, recurrence.neighbours, torch.float64)
    return FoldedPropagation(product, recurrence, strengths)(x.double())
