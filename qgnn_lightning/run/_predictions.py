"""Predictions as a table in a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data import GraphNames
from qgnn_lightning.errors import OptionError
from qgnn_lightning.lightning_module import Prediction
from qgnn_lightning.storage import atomic_path

#: Numbers as an array, or names.
Column = np.ndarray[Any, Any] | list[str]


def write_predictions(
    predictions: Sequence[Prediction],
    path: Path,
    names: GraphNames | None = None,
    *,
    every_class: bool = False,
) -> int:
    """Write node, best class and its probability, and return the number of rows.

    Args:
        predictions: One per batch.
        path: A file that ends in ``.csv`` or ``.parquet``, replaced as a whole.
        names: What nodes and classes are called; numbers where they have no names.
        every_class: Whether the probability of each class follows, in a column of its own.

    Raises:
        ValueError: If the ending is another one, or Parquet needs pyarrow, which is missing.
        OSError: If the file cannot be written.
    """
    write = prediction_writer(path)
    nodes = torch.cat([one.node_ids.cpu() for one in predictions])
    probabilities = torch.cat([one.probabilities.cpu() for one in predictions])
    best, classes = probabilities.max(1)
    names = names or GraphNames()
    columns: dict[str, Column] = {
        "node": _named(nodes, names.nodes),
        "class": _named(classes, names.classes),
        "probability": best.numpy(),
    }
    if every_class:
        of_classes = _named(torch.arange(probabilities.shape[1]), names.classes)
        for name, column in zip(of_classes, probabilities.numpy().T, strict=True):
            columns[f"probability of {name}"] = column
    with atomic_path(path) as file:
        write(columns, file)
    return len(nodes)


def _named(numbers: Tensor, names: Sequence[str] | None) -> Column:
    return numbers.numpy() if names is None else [names[number] for number in numbers.tolist()]


def prediction_writer(path: Path) -> Callable[[Mapping[str, Column], Path], None]:
    """What writes a file with that ending.

    Args:
        path: The file.

    Raises:
        OptionError: If there is none.
    """
    try:
        return PREDICTION_FORMATS[path.suffix]
    except KeyError:
        known = " or ".join(PREDICTION_FORMATS)
        raise OptionError(f"output must end in {known}, got {path.name or str(path)!r}") from None


def _write_csv(columns: Mapping[str, Column], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        nodes, classes, *probabilities = columns.values()
        shown = ((f"{one:.6f}" for one in column) for column in probabilities)
        rows.writerows(zip(nodes, classes, *shown, strict=True))


def _write_parquet(columns: Mapping[str, Column], path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            "output in .parquet needs pyarrow: pip install pyarrow, or name a .csv file"
        ) from None
    parquet.write_table(pyarrow.table(dict(columns)), path)


PREDICTION_FORMATS: dict[str, Callable[[Mapping[str, Column], Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
