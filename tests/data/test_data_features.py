"""Features: sparse and dense are the same numbers."""

from __future__ import annotations

import subprocess
import sys

import torch

from qgnn_lightning.data._features import normalize_rows, select_columns, sparsify


def _features(density: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40, 60, generator=generator)
    x[torch.rand(40, 60, generator=generator) >= density] = 0
    x[7] = 0
    return x


def test_only_sparse_features_become_sparse_and_keep_their_values():
    x = _features(0.02)
    assert sparsify(x).layout == torch.sparse_csr
    assert torch.equal(sparsify(x).to_dense(), x)
    dense = _features(0.5)
    assert sparsify(dense) is dense
    assert sparsify(sparsify(x)).layout == torch.sparse_csr


def test_rows_sum_to_one_or_stay_zero():
    for density in (0.02, 0.5):
        x = _features(density)
        rows = x.sum(1)
        normalized = normalize_rows(x)
        torch.testing.assert_close(normalized.sum(1), (rows > 0).float())
        torch.testing.assert_close(normalized * rows[:, None], x)


def test_sparse_and_dense_normalise_alike():
    x = _features(0.03)
    torch.testing.assert_close(normalize_rows(sparsify(x)).to_dense(), normalize_rows(x))


def test_columns_in_another_order():
    x, order = _features(0.03), torch.randperm(60, generator=torch.Generator().manual_seed(1))
    expected = torch.stack([x[:, column] for column in order.tolist()], dim=1)
    assert torch.equal(select_columns(x, order), expected)
    found = select_columns(sparsify(x), order)
    assert found.layout == torch.sparse_csr
    assert torch.equal(found.to_dense(), expected)


def test_no_warning_in_a_fresh_process():
    # torch notes once per process that CSR support is in beta: only a new one can tell.
    code = (
        "import torch\n"
        "from qgnn_lightning.data._features import sparsify\n"
        "x = sparsify(torch.eye(50))\n"
        "print(x.layout, (x @ torch.ones(50, 1)).sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sparse_csr" in done.stdout
    assert "beta" not in done.stderr
    assert "Warning" not in done.stderr
