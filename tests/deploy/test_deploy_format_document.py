"""A reader written from docs/packed-format.md alone reads the packed models of the project."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy
import pytest

from qgnn_lightning import kernels
from qgnn_lightning.deploy import load_packed

_PROJECT = Path(__file__).parents[2]
_TEXT = (_PROJECT / "docs" / "packed-format.md").read_text(encoding="utf-8")
_TYPES = {"F32": "<f4", "I16": "<i2", "U8": "u1"}
_TORCH = {"F32": "torch.float32", "I16": "torch.int16", "U8": "torch.uint8"}
_FILES = sorted((_PROJECT / "checkpoints").glob("*.safetensors"))


def read(path: Path) -> tuple[dict[str, str], dict[str, dict], dict[str, numpy.ndarray], int]:
    """Metadata, entries of the header, tensors, and bytes up to the tensors."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    entries = json.loads(content[8:start])
    metadata = entries.pop("__metadata__")
    tensors = {}
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        flat = numpy.frombuffer(content[start + begin : start + end], _TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    assert start + max(one["data_offsets"][1] for one in entries.values()) == len(content)
    return metadata, entries, tensors, start


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_header_tensors_and_checksum_are_as_written(path):
    metadata, entries, tensors, _ = read(path)
    keys = re.findall(r"^\| `(\w+)` \| ", _TEXT.split("## The file")[1], re.MULTILINE)
    assert set(metadata) == set(keys[:5])
    digest = hashlib.sha256()
    for key in sorted(set(metadata) - {"checksum"}):
        digest.update(f"{key}={metadata[key]}\n".encode())
    for name in sorted(tensors):
        shape = tuple(entries[name]["shape"])
        digest.update(f"{name}:{_TORCH[entries[name]['dtype']]}:{shape}\n".encode())
        digest.update(tensors[name].tobytes())
    assert digest.hexdigest() == metadata["checksum"]
    steps = len(json.loads(metadata["network"])["propagation"]["grids"])
    parts = ("weight", "weight_scale", "weight_zero_point", "bias")
    expected = {
        f"{layer}.{part}"
        for layer in ("encoder", "classifier")
        for part in (*parts, "input_scale", "input_zero_point")
    }
    kinds = ("scale", "zero_point")
    expected |= {f"message.{step}_{kind}" for step in range(steps) for kind in kinds}
    assert set(tensors) == expected


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_weights_are_those_of_the_packed_network(path):
    metadata, _, tensors, _ = read(path)
    network = load_packed(path)
    for name, layer in (("encoder", network.encoder), ("classifier", network.classifier)):
        fields = json.loads(metadata["network"])[name]
        bits = fields["weight_grid"]["num_bits"]
        rows = tensors[f"{name}.weight"]
        feature = numpy.arange(fields["in_features"])
        byte, lane = feature % rows.shape[1], feature // rows.shape[1]
        codes = rows[:, byte] >> (bits * lane) & (2**bits - 1)
        scale, zero = (tensors[f"{name}.weight_{kind}"] for kind in ("scale", "zero_point"))
        weight = scale[:, None] * (codes.astype("f4") - zero[:, None])
        unpacked = kernels.unpack(layer.weight, bits, layer.in_features)
        grid = layer.weight_grid
        numpy.testing.assert_array_equal(
            weight, (grid.scale * (unpacked.float() - grid.zero_point)).numpy()
        )


def test_the_bytes_of_the_small_file_add_up():
    path = _PROJECT / "checkpoints" / "digits_int2.safetensors"
    _, _, tensors, start = read(path)
    rows = dict.fromkeys(("weight", "grids", "bias", "others"), 0)
    for name, tensor in tensors.items():
        kind = "others"
        if name.endswith((".weight", ".bias")):
            kind = name.split(".")[1]
        elif ".weight_" in name:
            kind = "grids"
        rows[kind] += tensor.nbytes
    found = [start, rows["weight"], rows["grids"], rows["bias"], rows["others"]]
    table = _TEXT.split("Where the bytes of a small file go")[1]
    written = [int(one.replace(",", "")) for one in re.findall(r"\| ([\d,]+) \|$", table, re.M)]
    assert written == [*found, path.stat().st_size]
