"""The Triton kernels in Triton's interpreter; a fresh process, since it is chosen at import."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import torch
from qgnn_lightning.kernels import *
torch.set_num_threads(1)
rowptr, col = torch.tensor([0, 3, 3, 4, 9]), torch.tensor([0, 1, 3, 2, 0, 1, 2, 3, 3]).int()
graph = PackedGraph.from_csr(rowptr, col)
for num_bits, stride in ((2, 1), (2, 85), (4, 1), (8, 1)):
    for width in (5, 70):
        codes = (torch.arange(4 * width).view(4, width) % (1 << num_bits)).byte()
        call = dict(num_bits=num_bits, num_features=width)
        sums = [neighbour_sum(pack(codes, num_bits), rowptr, col, backend=b, **call)
                for b in ("triton", "reference")]
        assert torch.equal(*sums), (num_bits, width)
        x0 = torch.randn(4, width, generator=torch.Generator().manual_seed(0))
        top = 255 if stride == 85 else (1 << num_bits) - 1
        grids = [Grid(num_bits, 2.0 / top, top // 2, stride, 5 * (stride > 1))] * 2
        for form in ("direct", "delta_sigma"):
            results = [propagate(x0, graph, grids, StepCoefficients(0.0, 0.9, 0.1), form=form,
                                 return_codes=True, backend=b) for b in ("triton", "reference")]
            assert torch.equal(results[0].codes, results[1].codes), (num_bits, stride, width, form)
            assert torch.equal(results[0].features, results[1].features)
print("agree")
"""


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="the package triton is not installed"
)
def test_kernels_equal_the_reference_in_the_interpreter() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "agree", run.stderr
