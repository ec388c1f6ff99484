"""Predictions as a table in a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from qgnn_lightning.lightning_module import Prediction
from qgnn_lightning.storage import atomic_path

_COLUMNS = ("node", "class", "probability")


def write_predictions(predictions: Sequence[Prediction], path: Path) -> int:
    """Write node, class and probability, and return the number of rows.

    Args:
        predictions: One per batch.
        path: A file that ends in ``.csv`` or ``.parquet``, replaced as a whole.

    Raises:
        ValueError: If the ending is another one, or Parquet needs pyarrow, which is missing.
        OSError: If the file cannot be written.
    """
    write = prediction_writer(path)
    columns = [
        torch.cat([getattr(one, name).cpu() for one in predictions])
        for name in ("node_ids", "classes", "probabilities")
    ]
    with atomic_path(path) as file:
        write(columns, file)
    return len(columns[0])


def prediction_writer(path: Path) -> Callable[[list[Tensor], Path], None]:
    """What writes a file with that ending.

    Args:
        path: The file.

    Raises:
        ValueError: If there is none.
    """
    try:
        return PREDICTION_FORMATS[path.suffix]
    except KeyError:
        known = " or ".join(PREDICTION_FORMATS)
        raise ValueError(f"output must end in {known}, got {path.name!r}") from None


def _write_csv(columns: list[Tensor], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_COLUMNS)
        nodes, classes, probabilities = (column.tolist() for column in columns)
        shown = (f"{probability:.6f}" for probability in probabilities)
        rows.writerows(zip(nodes, classes, shown, strict=True))


def _write_parquet(columns: list[Tensor], path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            "output in .parquet needs pyarrow: pip install pyarrow, or name a .csv file"
        ) from None
    arrays = [column.numpy() for column in columns]
    parquet.write_table(pyarrow.table(arrays, names=list(_COLUMNS)), path)


PREDICTION_FORMATS: dict[str, Callable[[list[Tensor], Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
