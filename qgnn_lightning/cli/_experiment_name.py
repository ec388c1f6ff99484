"""What an experiment is called after its graph and its network; without importing torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Sources of files that nobody has prepared for a network yet.
OWN_FILES = ("files", "npz", "npy")


def experiment_name(data: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """A name for all runs with the same graph, architecture and bits.

    Args:
        data: The options of the data.
        model: The options of the model.
    """
    parts = [graph_name(data), str(model["architecture"]), str(model["bits"])]
    if model["architecture"] == "decoupled":
        del parts[1]
    return re.sub(r"\W+", "_", "_".join(parts).lower())


def graph_name(data: Mapping[str, Any]) -> str:
    """What a graph is called: its name or its source, with the place of the user's own files.

    Args:
        data: The options of the data.
    """
    if data["source"] in OWN_FILES and data["root"]:
        place = Path(str(data["root"])).expanduser().resolve().name.removesuffix(".npz")
        return f"{data['source']} {place}"
    return str(data["name"] or data["source"])
