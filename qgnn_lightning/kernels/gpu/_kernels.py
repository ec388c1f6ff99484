# ruff: noqa: ANN001, ANN202  (Triton compiles these functions: their arguments have no types)
# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call"
"""Triton kernels: one program per node, vectors along the packed row.

Every float operation is rounded on its own (kernels are launched without fusion into fused
multiply-adds), in the order that ``reference.py`` states.
"""

from __future__ import annotations

import triton
import triton.language as tl

_MAGIC = tl.constexpr(12582912.0)  # 1.5 * 2^23: adding it rounds to an integer, half to even


@triton.jit
def _lane_sum(codes, col, begin, end, lane, offsets, inside, ROW_BYTES, BITS: tl.constexpr):
    total = tl.zeros(offsets.shape, dtype=tl.int32)
    for entry in range(begin, end):
        row = tl.load(col + entry).to(tl.int64) * ROW_BYTES
        word = tl.load(codes + row + offsets, mask=inside, other=0).to(tl.int32)
        total += (word >> (lane * BITS)) & ((1 << BITS) - 1)
    return total


@triton.jit
def sum_kernel(
    codes, rowptr, col, out, num_features, ROW_BYTES, BITS: tl.constexpr, BLOCK: tl.constexpr
):
    """Sum the codes of the neighbours of one node."""
    node = tl.program_id(0).to(tl.int64)
    begin, end = tl.load(rowptr + node), tl.load(rowptr + node + 1)
    offsets = tl.arange(0, BLOCK)
    inside = offsets < ROW_BYTES
    for lane in tl.static_range(8 // BITS):
        total = _lane_sum(codes, col, begin, end, lane, offsets, inside, ROW_BYTES, BITS)
        feature = lane * ROW_BYTES + offsets
        tl.store(out + node * num_features + feature, total, mask=inside & (feature < num_features))


@triton.jit
def _rint(v):
    return (v + _MAGIC) - _MAGIC


@triton.jit
def _quantize(v, inv_scale, zero_point, shift, BITS: tl.constexpr, TRUNCATED: tl.constexpr):
    top = 255 if TRUNCATED else (1 << BITS) - 1
    low = (-zero_point).to(tl.float32)
    high = (top - zero_point).to(tl.float32)
    level = _rint(tl.minimum(tl.maximum(v * inv_scale, low), high)).to(tl.int32) + zero_point
    if TRUNCATED:
        level = tl.minimum(tl.maximum(level + shift, 0), 255)
        level = (level + 42) // 85
    return level


@triton.jit
def quantize_kernel(
    z, inv_scale, zero_point, shift, codes, num_features, ROW_BYTES,
    BITS: tl.constexpr, TRUNCATED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Quantize one row of floats and pack the codes."""
    node = tl.program_id(0).to(tl.int64)
    offsets = tl.arange(0, BLOCK)
    inside = offsets < ROW_BYTES
    word = tl.zeros((BLOCK,), dtype=tl.int32)
    step_inv_scale, zero, moved = tl.load(inv_scale), tl.load(zero_point), tl.load(shift)
    for lane in tl.static_range(8 // BITS):
        feature = lane * ROW_BYTES + offsets
        known = inside & (feature < num_features)
        v = tl.load(z + node * num_features + feature, mask=known, other=0.0)
        code = _quantize(v, step_inv_scale, zero, moved, BITS, TRUNCATED)
        word = word | (tl.where(known, code, 0) << (lane * BITS))
    tl.store(codes + node * ROW_BYTES + offsets, word.to(tl.uint8), mask=inside)
