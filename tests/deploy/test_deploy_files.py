"""A damaged or hostile file gives our own error, and nothing else."""

from __future__ import annotations

import json
import random
import struct

import pytest
import torch
from safetensors.torch import load

from qgnn_lightning.deploy import PackedFileError, freeze, load_packed, save_packed
from qgnn_lightning.deploy._serialization import MAX_FILE_BYTES, _checksum
from qgnn_lightning.graph import Adjacency
from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN
from qgnn_lightning.quantization import PRESETS

NUM_MUTANTS = 1500


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    torch.manual_seed(0)
    config = NetworkConfig(
        hidden_features=3, precision=PRESETS["int2"], propagation=PropagationConfig(num_steps=2)
    )
    network = QuantizedGNN(4, 2, config)
    network(torch.rand(5, 4), Adjacency.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 5))
    path = tmp_path_factory.mktemp("packed") / "model.safetensors"
    save_packed(freeze(network.eval(), ["no", "yes"], list("abcd")), path)
    return path.read_bytes()


def split(content: bytes) -> tuple[dict, bytes]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def join(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def refused(tmp_path, content: bytes, match: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(PackedFileError, match=match):
        load_packed(path)


def test_the_file_itself_loads(tmp_path, content):
    path = tmp_path / "good.safetensors"
    path.write_bytes(content)
    assert load_packed(path).num_features == 4


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no packed network at .*none\.safet"):
        load_packed(tmp_path / "none.safetensors")
    with pytest.raises(PackedFileError, match=r" is a folder, not a packed network: "):
        load_packed(tmp_path)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, -1])
def test_truncated(tmp_path, content, length):
    refused(tmp_path, content[:length], r"bad\.safetensors is cut off or damaged$")


def test_other_files_are_not_called_truncated(tmp_path):
    refused(tmp_path, b"source,target\n1,2\n", r"bad\.safetensors is not a packed network$")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    content = (tmp_path / "other.ckpt").read_bytes()
    refused(tmp_path, content, "qgnn export makes one of a checkpoint")


def test_every_flipped_tensor_bit_is_noticed(tmp_path, content):
    _, data = split(content)
    start = len(content) - len(data)
    for position in range(start, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        refused(tmp_path, bytes(damaged), r"bad\.safetensors is cut off or damaged$")


def test_other_versions_are_named(tmp_path, content):
    header, data = split(content)
    header["__metadata__"]["format_version"] = "99"
    refused(tmp_path, join(header, data), r"tensors is of format version 99 .*reads 1 with 1$")


def test_another_safetensors_file(tmp_path, content):
    header, data = split(content)
    del header["__metadata__"]
    refused(tmp_path, join(header, data), "not a packed network")


def test_huge_header_and_huge_tensor(tmp_path, content):
    refused(tmp_path, struct.pack("<Q", 2**62) + content[8:], "is cut off or damaged")
    header, data = split(content)
    header["encoder.weight"]["shape"] = [2**40, 2**20]
    refused(tmp_path, join(header, data), r"bad\.safetensors")


def test_a_tensor_without_dimensions(tmp_path, content):
    header, data = split(content)
    header["encoder.input_zero_point"]["shape"] = []
    refused(tmp_path, join(header, data), "is cut off or damaged")


def test_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PackedFileError, match=r"is not a packed network: .* are more than"):
        load_packed(path)


@pytest.mark.parametrize("names", ["ab", [1, 2], ["no"], ["no", "no"], {"no": "yes"}, 2])
def test_names_of_classes_are_different_texts(tmp_path, content, names):
    fields = json.loads(split(content)[0]["__metadata__"]["network"])
    refused(tmp_path, with_fields(content, {**fields, "class_names": names}), "class_names")


@pytest.mark.parametrize("names", ["abcd", [1, 2, 3, 4], ["a", "b"], ["a", "a", "b", "c"], 4])
def test_names_of_columns_are_different_texts(tmp_path, content, names):
    fields = json.loads(split(content)[0]["__metadata__"]["network"])
    refused(tmp_path, with_fields(content, {**fields, "column_names": names}), "column_names")


@pytest.mark.parametrize("count", [256, 257])
def test_names_of_more_than_256_columns_are_left_out(tmp_path, count):
    config = NetworkConfig(hidden_features=3, precision=PRESETS["int2"])
    network = QuantizedGNN(count, 2, config)
    network(torch.rand(5, count), Adjacency.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 5))
    names = tuple(f"column {number}" for number in range(count))
    save_packed(freeze(network.eval(), None, names), tmp_path / "wide.safetensors")
    expected = names if count == 256 else None
    assert load_packed(tmp_path / "wide.safetensors").column_names == expected


def test_bits_are_whole_numbers(tmp_path, content):
    fields = json.loads(split(content)[0]["__metadata__"]["network"])
    fields["propagation"]["residual_bits"] = 8.0
    refused(tmp_path, with_fields(content, fields), "residual_bits must be a whole number, got 8.0")


def test_mutants_give_only_our_error(tmp_path, content):
    generator = random.Random(0)
    path = tmp_path / "mutant.safetensors"
    for _ in range(NUM_MUTANTS):
        path.write_bytes(mutate(content, generator))
        try:
            load_packed(path)
        except PackedFileError:
            continue


def mutate(content: bytes, generator: random.Random) -> bytes:
    """Change a few bytes, cut, repeat, or put something else into the header."""
    kind = generator.randrange(4)
    if kind == 0:
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 8)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        return bytes(damaged)
    if kind == 1:
        start, stop = sorted(generator.randrange(len(content)) for _ in range(2))
        return content[:start] + content[stop:]
    header, data = split(content)
    if kind == 2:
        text = json.dumps(header)
        position = generator.randrange(len(text))
        text = text[:position] + generator.choice('0123456789{}[]",:-e.n') + text[position + 1 :]
        return struct.pack("<Q", len(text)) + text.encode() + data
    fields = json.loads(header["__metadata__"]["network"])
    section = generator.choice([fields, *(v for v in fields.values() if isinstance(v, dict))])
    values = [None, -1, 0, 3, 10**30, 1e300, float("nan"), "x", [], ["x"], ["x", 1], {}, True]
    section[generator.choice(list(section))] = generator.choice(values)
    return with_fields(content, fields)


def with_fields(content: bytes, fields: dict) -> bytes:
    """The file with other fields, and the checksum that belongs to them."""
    header, data = split(content)
    metadata = header["__metadata__"]
    metadata["network"] = json.dumps(fields)
    metadata["checksum"] = _checksum(load(content), metadata)
    return join(header, data)
