"""Packed networks: trained codes as real integers, in one small file, without Lightning or PyG."""

from qgnn_lightning.deploy._describe import Part, describe_network, describe_packed
from qgnn_lightning.deploy._freeze import check_packable, freeze
from qgnn_lightning.deploy._packed_network import PackedGNN, PackedLinear, PackedPropagation
from qgnn_lightning.deploy._serialization import (
    PackedFileError,
    load_packed,
    packed_file_size,
    save_packed,
)

__all__ = [
    "PackedFileError",
    "PackedGNN",
    "PackedLinear",
    "PackedPropagation",
    "Part",
    "check_packable",
    "describe_network",
    "describe_packed",
    "freeze",
    "load_packed",
    "packed_file_size",
    "save_packed",
]
