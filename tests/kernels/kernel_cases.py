"""Random graphs, grids and inputs shared by the kernel tests."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from qgnn_lightning.kernels import Grid, PackedGraph

#: Instruction sets of the compiled kernels, the least first.
ISAS = ("portable", "avx2", "avx512", "avx512vnni")
WIDTHS = (1, 3, 7, 16, 31, 32, 33, 40, 64, 65, 96, 128, 129, 192, 256, 300)


def random_graph(num_nodes: int, num_entries: int, seed: int, *, hub: bool = False) -> PackedGraph:
    """Draw a graph; with ``hub`` half of the entries belong to one node."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(num_nodes, (num_entries,), generator=generator)
    col = torch.randint(num_nodes, (num_entries,), generator=generator)
    if hub:
        rows[: num_entries // 2] = num_nodes // 2
    rows = rows.sort().values
    counts = torch.bincount(rows, minlength=num_nodes)
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return PackedGraph.from_csr(rowptr, col.int())


def random_features(num_nodes: int, num_features: int, seed: int) -> Tensor:
    """Draw normal features, some far outside of every range."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_nodes, num_features, generator=generator)
    far = torch.rand(num_nodes, num_features, generator=generator) < 0.01
    return torch.where(far, x * 1e12, x)


def random_codes(rows: int, num_features: int, num_bits: int, seed: int) -> Tensor:
    """Draw codes."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1 << num_bits, (rows, num_features), generator=generator).byte()


@st.composite
def grids(draw: st.DrawFn) -> list[Grid]:
    """Draw one grid per step."""
    num_bits = draw(st.sampled_from((2, 4, 8)))
    truncated = num_bits == 2 and draw(st.booleans())
    top = 255 if truncated else (1 << num_bits) - 1
    return [
        Grid(
            num_bits,
            draw(st.floats(0.25, 4.0)) / top,
            draw(st.integers(0, top)),
            stride=85 if truncated else 1,
            shift=draw(st.integers(-40, 40)) if truncated else 0,
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
