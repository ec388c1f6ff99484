"""Small sets in OGB's two formats, written without network."""

from __future__ import annotations

import contextlib
import gzip
import io
from pathlib import Path

import numpy as np

from qgnn_lightning.data._sources._ogb_read import import_ogb

NAME = "ogbn-tiny"
NUM_NODES, NUM_CLASSES = 60, 3


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """A directed graph whose features tell the class, and a split."""
    draw = np.random.default_rng(seed)
    labels = np.arange(NUM_NODES) % NUM_CLASSES
    source = draw.integers(0, NUM_NODES, 200)
    target = (source + NUM_CLASSES * draw.integers(1, 19, 200)) % NUM_NODES  # same class
    shuffled = draw.permutation(NUM_NODES)
    return {
        "x": (np.eye(NUM_CLASSES)[labels] + draw.normal(0, 0.3, (NUM_NODES, 3))).astype("f4"),
        "edge_index": np.stack([source, target]),
        "y": labels[:, None],
        "train": np.sort(shuffled[:30]),
        "valid": np.sort(shuffled[30:42]),
        "test": np.sort(shuffled[42:]),
    }


def write_saved(folder: Path, *, num_tasks: int = 1, hetero: bool = False) -> Path:
    """What a user of OGB's DatasetSaver has; returns the folder to name as data.root."""
    parts = arrays()
    mapping = folder / "mapping"
    mapping.mkdir(parents=True)
    (mapping / "README.md").write_text("nothing")
    saver_class = import_ogb("io").DatasetSaver
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        saver = saver_class(NAME, hetero, version=1, root=str(folder / "submission"))
        graph = {
            "edge_index": parts["edge_index"],
            "num_nodes": NUM_NODES,
            "node_feat": parts["x"],
        }
        saver.save_graph_list([graph])
        saver.save_target_labels(np.repeat(parts["y"], num_tasks, axis=1))
        saver.save_split({part: parts[part] for part in ("train", "valid", "test")}, "time")
        saver.copy_mapping_dir(str(mapping))
        saver.save_task_info("multiclass classification", "acc", num_classes=NUM_CLASSES)
        saver.get_meta_dict()
    return folder / "submission_ogbn_tiny"


def write_published(root: Path, name: str = "ogbn-arxiv", split: str = "time") -> Path:
    """The files that OGB publishes, as compressed CSV; returns the folder of the set."""
    parts = arrays()
    folder = root / name.replace("-", "_")
    numbers = {
        "raw/edge": parts["edge_index"].T,
        "raw/num-node-list": np.array([[NUM_NODES]]),
        "raw/num-edge-list": np.array([[parts["edge_index"].shape[1]]]),
        "raw/node-feat": parts["x"],
        "raw/node-label": parts["y"],
        **{f"split/{split}/{part}": parts[part][:, None] for part in ("train", "valid", "test")},
    }
    for path, table in numbers.items():
        file = folder / f"{path}.csv.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(file, "wt") as text:
            text.writelines(",".join(map(repr, row)) + "\n" for row in table.tolist())
    return folder
