"""Mutated files of one's own graph: a graph or a GraphDataError, nothing else."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from scipy import sparse

from qgnn_lightning.data import GraphDataError, GraphDataModule

_PIECES = (b",", b"\n", b"\x00", b'"', b"nan", b"1e999", b"-1", b"(", b"L", b"\xff\xff\xff\xff")


def _saved(save, *arguments) -> bytes:
    file = io.BytesIO()
    save(file, *arguments)
    return file.getvalue()


NODES = np.arange(12)
FILES = {
    "labels.csv": b"label\n" + b"".join(b"%d\n" % (node % 2) for node in NODES),
    "labels.npy": _saved(np.save, np.array(["a", "b"] * 6)),
    "features.csv": b"x,y\n" + b"".join(b"%d,0.5\n" % node for node in NODES),
    "features.npy": _saved(np.save, np.ones((12, 2))),
    "features.npz": _saved(sparse.save_npz, sparse.eye_array(12, format="csr")),
    "edges.csv": b"source,target,weight\n" + b"".join(b"%d,0,1\n" % node for node in NODES),
    "edges.npy": _saved(np.save, np.stack([NODES, (NODES + 1) % 12])),
    "split.csv": b"split\n" + b'train\nval\ntest\n""\n' * 3,
    "split.npy": _saved(np.save, np.array(["train", "val", "test", ""] * 3)),
}
WHOLE = ("labels.csv", "features.npy", "edges.npy", "split.csv")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bits flipped, bytes replaced, pieces added or cut out."""
    found = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place = rng.randrange(len(found) + 1)
        match rng.randrange(4):
            case 0:
                found[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                found[place:place] = rng.choice(_PIECES)
            case 2:
                del found[place : place + rng.randrange(1, 20)]
            case _ if place < len(found):
                found[place] ^= 1 << rng.randrange(8)
    return bytes(found)


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_give_a_graph_or_our_error(tmp_path, name):
    for other in WHOLE:
        if other.split(".")[0] != name.split(".")[0]:
            (tmp_path / other).write_bytes(FILES[other])
    rng = random.Random(name)
    refused = 0
    for _ in range(100):
        (tmp_path / name).write_bytes(mutated(FILES[name], rng))
        data = GraphDataModule("files", root=str(tmp_path))
        try:
            data.setup()
        except GraphDataError:
            refused += 1
        else:
            assert data.graph.num_nodes == len(data.graph.y)
    assert refused > 10
