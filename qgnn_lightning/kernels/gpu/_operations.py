"""Torch tensors in, torch tensors out, through Triton.

Sums over neighbours and quantization with packing run as Triton kernels; the elementwise
combination between them is torch's, each operation rounded on its own as in the reference.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from qgnn_lightning.kernels._constants import StepCoefficients
from qgnn_lightning.kernels._graph import GraphTensors
from qgnn_lightning.kernels._grid import GridTable
from qgnn_lightning.kernels.layout import PackedLayout
from qgnn_lightning.kernels.reference import Propagation

from ._kernels import quantize_kernel, sum_kernel


def neighbour_sum(packed: Tensor, rowptr: Tensor, col: Tensor, layout: PackedLayout) -> Tensor:
    """Return the int32 sums of codes over neighbours."""
    nodes = rowptr.numel() - 1
    out = torch.empty(nodes, layout.num_features, dtype=torch.int32, device=packed.device)
    if nodes:
        sum_kernel[(nodes,)](
            packed.contiguous(),
            rowptr.contiguous(),
            col.contiguous(),
            out,
            layout.num_features,
            layout.row_bytes,
            BITS=layout.num_bits,
            BLOCK=triton.next_power_of_2(layout.row_bytes),
        )
    return out


def quantize_and_pack(z: Tensor, table: GridTable, inverse: Tensor | float, step: int) -> Tensor:
    """Return the packed codes of ``z`` on the grid of a step, one level worth ``1 / inverse``."""
    layout = PackedLayout(z.shape[1], table.num_bits)
    codes = torch.empty(z.shape[0], layout.row_bytes, dtype=torch.uint8, device=z.device)
    constants = (torch.as_tensor(inverse), table.zero_point[step], table.shift[step])
    if z.shape[0]:
        quantize_kernel[(z.shape[0],)](
            z.contiguous(),
            *(constant.reshape(1).to(z.device) for constant in constants),
            codes,
            layout.num_features,
            layout.row_bytes,
            BITS=table.num_bits,
            TRUNCATED=table.truncated,
            BLOCK=triton.next_power_of_2(layout.row_bytes),
            enable_fp_fusion=False,
        )
    return codes


def propagate(
    x0: Tensor,
    graph: GraphTensors,
    table: GridTable,
    weights: StepCoefficients,
    delta_sigma: bool,
    residual_bits: int,
    with_codes: bool,
) -> tuple[Tensor, Tensor]:
    """Return the propagated features and, if asked for, the packed codes of every step."""
    layout = PackedLayout(x0.shape[1], table.num_bits)
    steps = Propagation(
        x0,
        graph,
        table,
        weights,
        residual_bits,
        encode=lambda v, inverse, step: quantize_and_pack(v, table, inverse, step),
        sums=lambda packed: neighbour_sum(packed, graph.rowptr, graph.col, layout),
    )
    return steps.run(delta_sigma, with_codes)
