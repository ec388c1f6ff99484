"""Predictions as a table in a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qgnn_lightning.data import GraphNames
from qgnn_lightning.errors import OptionError
from qgnn_lightning.lightning_module import Prediction
from qgnn_lightning.storage import atomic_path

_COLUMNS = ("node", "class", "probability")


#: Numbers as an array, or names.
Column = np.ndarray[Any, Any] | list[str]


def write_predictions(
    predictions: Sequence[Prediction], path: Path, names: GraphNames | None = None
) -> int:
    """Write node, class and probability, and return the number of rows.

    Args:
        predictions: One per batch.
        path: A file that ends in ``.csv`` or ``.parquet``, replaced as a whole.
        names: What nodes and classes are called; numbers where they have no names.

    Raises:
        ValueError: If the ending is another one, or Parquet needs pyarrow, which is missing.
        OSError: If the file cannot be written.
    """
    write = prediction_writer(path)
    nodes, classes, probabilities = (
        torch.cat([getattr(one, name).cpu() for one in predictions])
        for name in ("node_ids", "classes", "probabilities")
    )
    names = names or GraphNames()
    columns = [
        _named(nodes, names.nodes),
        _named(classes, names.classes),
        probabilities.numpy(),
    ]
    with atomic_path(path) as file:
        write(columns, file)
    return len(nodes)


def _named(numbers: Tensor, names: Sequence[str] | None) -> Column:
    return numbers.numpy() if names is None else [names[number] for number in numbers.tolist()]


def prediction_writer(path: Path) -> Callable[[list[Column], Path], None]:
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


def _write_csv(columns: list[Column], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_COLUMNS)
        nodes, classes, probabilities = map(list, columns)
        shown = (f"{probability:.6f}" for probability in probabilities)
        rows.writerows(zip(nodes, classes, shown, strict=True))


def _write_parquet(columns: list[Column], path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            "output in .parquet needs pyarrow: pip install pyarrow, or name a .csv file"
        ) from None
    parquet.write_table(pyarrow.table(list(columns), names=list(_COLUMNS)), path)


PREDICTION_FORMATS: dict[str, Callable[[list[Column], Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
