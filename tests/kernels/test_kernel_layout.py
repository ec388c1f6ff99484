"""The packed layout: where every code lies, and that packing loses nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qgnn_lightning.kernels import SUPPORTED_BITS, PackedLayout, pack, unpack

BITS = st.sampled_from(SUPPORTED_BITS)


@pytest.mark.parametrize("num_bits", SUPPORTED_BITS)
def test_all_256_bytes_survive_unpack_and_pack(num_bits: int) -> None:
    layout = PackedLayout(PackedLayout(256 * (8 // num_bits), num_bits).capacity, num_bits)
    packed = (torch.arange(layout.row_bytes) % 256).to(torch.uint8)[None]
    assert set(range(256)) == set(packed.flatten().tolist())
    codes = unpack(packed, num_bits, layout.num_features)
    assert torch.equal(pack(codes, num_bits), packed)
    for byte in range(256):
        lanes = [(byte >> shift) % (1 << num_bits) for shift in range(0, 8, num_bits)]
        found = [int(codes[0, byte + lane * layout.row_bytes]) for lane in range(8 // num_bits)]
        assert found == lanes


@given(st.integers(1, 300), BITS, st.integers(0, 4), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_unpack_inverts_pack(num_features: int, num_bits: int, rows: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(1 << num_bits, (rows, num_features), generator=generator).byte()
    packed = pack(codes, num_bits)
    assert packed.shape == (rows, PackedLayout(num_features, num_bits).row_bytes)
    assert torch.equal(unpack(packed, num_bits, num_features), codes)


@given(st.integers(1, 3000), BITS)
@settings(deadline=None)
def test_positions_are_distinct_and_inside_the_row(num_features: int, num_bits: int) -> None:
    layout = PackedLayout(num_features, num_bits)
    places = {layout.position(feature) for feature in range(num_features)}
    assert len(places) == num_features
    assert all(b < layout.row_bytes and lane < layout.codes_per_byte for b, lane in places)
    assert layout.row_bytes == 16 or layout.row_bytes % 32 == 0
    assert layout.row_bytes - -(-num_features * num_bits // 8) < 32


@pytest.mark.parametrize("num_bits", SUPPORTED_BITS)
def test_single_code_lands_where_position_says(num_bits: int) -> None:
    layout = PackedLayout(77, num_bits)
    for feature in range(77):
        codes = torch.zeros(1, 77, dtype=torch.uint8)
        codes[0, feature] = layout.max_code
        byte, lane = layout.position(feature)
        expected = torch.zeros(1, layout.row_bytes, dtype=torch.uint8)
        expected[0, byte] = layout.max_code << (lane * num_bits)
        assert torch.equal(pack(codes, num_bits), expected)


@pytest.mark.parametrize(
    ("features", "num_bits", "row_bytes"),
    [(1, 2, 16), (40, 2, 16), (64, 2, 16), (128, 2, 32), (129, 2, 64), (256, 2, 64), (300, 2, 96),
     (32, 4, 16), (33, 4, 32), (128, 4, 64), (1, 8, 32), (128, 8, 128)],
)  # fmt: skip
def test_row_bytes_of_format_version_1(features: int, num_bits: int, row_bytes: int) -> None:
    assert PackedLayout(features, num_bits).row_bytes == row_bytes


def test_layout_rejects_what_it_cannot_hold() -> None:
    with pytest.raises(ValueError, match=r"num_bits must be one of \(2, 4, 8\), got 3"):
        PackedLayout(4, 3)
    with pytest.raises(ValueError, match="num_features must be at least 1, got 0"):
        PackedLayout(0, 2)
    with pytest.raises(IndexError, match=r"feature must be in 0\.\.3, got 4"):
        PackedLayout(4, 2).position(4)
