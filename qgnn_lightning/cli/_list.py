"""``qgnn list``: what there is to choose from; without importing torch."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import qgnn_lightning
from qgnn_lightning.cli._errors import UsageError

#: Option, and what each of its choices is. A test compares the names with those of the code.
CHOICES: dict[str, dict[str, str]] = {
    "data.source": {
        "digits": "1,797 handwritten digits, linked to their nearest neighbours; no download",
        "planetoid": "citation graphs: data.name Cora, CiteSeer, PubMed",
        "coauthor": "co-author graphs: data.name CS, Physics",
        "amazon": "co-purchase graphs: data.name Computers, Photo",
        "ogb": "Open Graph Benchmark: data.name ogbn-arxiv, ogbn-products, or a saved set",
        "block_model": "random communities",
        "power_law": "random graph with hubs",
        "files": "your own folder of CSV, Parquet or numpy files: data.root FOLDER",
        "npz": "your own numpy file: data.root FILE.npz",
        "npy": "your own folder of numpy arrays that are mapped, not read: data.root FOLDER",
    },
    "model.bits": {
        "float32": "full precision",
        "int8": "8 bits in every stage",
        "int4": "4 bits in every stage",
        "int2": "2 bits in every stage",
        "int2-paper": "2 bits in every stage, and in what a node makes of the messages",
    },
    "model.architecture": {
        "decoupled": "two linear layers and a propagation: ours",
        "gcn": "graph convolutions",
        "gcnii": "graph convolutions with a restart and identity maps",
        "appnp": "propagation with a restart to the input",
        "sgc": "powers of the adjacency, then one linear layer",
        "elastic": "elastic message passing",
    },
    "model.quantizer": {
        "least_squares": "range of the least squared error",
        "learned_range": "trained range (QLR)",
        "min_max": "range of the data",
        "lsq": "trained scale (LSQ)",
        "degree_quant": "range of the data without extremes, well-linked nodes spared in training",
        "bitwise_truncation": "upper bits of 8-bit codes (BT)",
        "skewness_truncation": "upper bits, shifted by the skewness (BT*)",
    },
    "model.messages": {
        "auto": "delta_sigma below 8 bits, direct otherwise",
        "direct": "nodes send their representation",
        "delta_sigma": "nodes send its change and feed the rounding error back",
    },
    "model.propagation": {
        "smoothness_aware": "descent with a constraint on the change of similarity",
        "unrolled_multiplier": "descent with multipliers that are computed anew in every pass",
        "released_code": "descent as in the paper's released code, for comparison",
        "personalized": "with a restart to the input (APPNP)",
        "powers": "powers of the adjacency (SGC)",
    },
}


def run_list(arguments: list[str]) -> None:
    """Print configurations, data sets, models and quantizers.

    Args:
        arguments: What stands behind ``qgnn list``.

    Raises:
        UsageError: If anything does.
    """
    if arguments in (["-h"], ["--help"]):
        print("usage: qgnn list\n\nLists configurations, data sets, models and quantizers.")
        return
    if arguments:
        raise UsageError(f"qgnn list takes no arguments, got {arguments[0]!r}")
    sections = [("configurations, for -c", shipped_configs())]
    sections += [(f"--{option}", choices) for option, choices in CHOICES.items()]
    blocks = []
    for title, rows in sections:
        width = max(map(len, rows), default=0)
        lines = [f"  {name:{width}}  {text}".rstrip() for name, text in rows.items()]
        blocks.append("\n".join([f"{title}:", *(lines or ["  none found"])]))
    print("\n\n".join(blocks))


def shipped_configs() -> dict[str, str]:
    """The configurations, and what each says of itself.

    They are looked for in the current folder, then beside the package in a source tree.
    """
    for root in (Path(), Path(qgnn_lightning.__file__).parents[1]):
        found = sorted((root / "configs").glob("*/*.yaml"))
        if found:
            return {str(path): _first_comment(path) for path in found}
    return {}


def _first_comment(path: Path) -> str:
    """The first sentence of the comment that a file begins with."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text("utf-8").splitlines())
    text = " ".join(line.removeprefix("#").strip() for line in lines)
    return re.split(r"(?<=[a-z0-9)])[.:] ", text, maxsplit=1)[0].removesuffix(".")
