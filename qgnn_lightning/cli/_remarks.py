"""What is allowed in a graph, but seldom meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qgnn_lightning.cli._experiment_name import OWN_FILES
from qgnn_lightning.cli._missing_words import remark_on_missing
from qgnn_lightning.data import (
    ColumnSizes,
    GraphBatch,
    GraphDataError,
    GraphDataModule,
    column_sizes,
)
from qgnn_lightning.quantization import make_precision

#: Eight bits keep what is a 500th of the range.
_FEW_BITS = 4
_NOTHING = "all features are 0: there is nothing to learn from"
_ALIKE = "all nodes have the same features: only their edges tell them apart"
#: Numbers that are looked through in a moment; more of them may be on the disk.
_MOST_NUMBERS = 2**24


def note(text: str) -> str:
    """A remark, as a line of the output."""
    return f"{'note':<15}{text}"


def remarks_on_columns(sizes: ColumnSizes, *, few_bits: bool) -> list[str]:
    """What to do about columns that are huge, of very different size, or tell no nodes apart.

    Args:
        sizes: Of the features' columns.
        few_bits: Whether their grid may have few bits.
    """
    found = [_remark_on_huge(sizes)] if sizes.huge else []
    if sizes.constant:
        found.append(_NOTHING if sizes.largest == 0 else _ALIKE)
    return found + ([_remark_on_uneven(sizes)] if few_bits and sizes.uneven else [])


def hint_at_features(graph: GraphBatch) -> str:
    """What may be behind numbers that are not finite, as the end of an error; or nothing.

    Args:
        graph: The graph that was trained on.
    """
    if graph.x.numel() > _MOST_NUMBERS:
        return ""
    sizes = column_sizes(graph.x)
    return f"; {_remark_on_huge(sizes)}" if sizes.huge else ""


def _remark_on_huge(sizes: ColumnSizes) -> str:
    return (
        f"features reach {sizes.largest:.4g}, in column {sizes.largest_column} (counted from 0): "
        "with numbers so large a training fails; scale the columns of the file first"
    )


def _remark_on_uneven(sizes: ColumnSizes) -> str:
    return (
        f"columns of the features differ in size: the largest reaches {sizes.largest:,.4g}, half "
        f"of them at most {sizes.median:,.4g}; in 4 bits or fewer the small ones become 0: scale "
        "the columns of the file first (subtract the mean, divide by the standard deviation)"
    )


def remark_on_classes(sizes: Sequence[int]) -> str | None:
    """What to do about classes without a node, if there are any.

    Args:
        sizes: Nodes of each class.
    """
    empty = [number for number, size in enumerate(sizes) if not size]
    if not empty:
        return None
    shown = ", ".join(map(str, empty[:5])) + (", ..." if len(empty) > 5 else "")
    return (
        f"{len(empty)} of the {len(sizes)} classes have no node ({shown}): labels that are whole "
        "numbers count the classes from 0, other labels are names"
    )


def remarks_on_training(options: Mapping[str, Any], data: GraphDataModule) -> list[str]:
    """The same before a training on files of the user's own; of columns, where input has few bits.

    Args:
        options: The options of ``fit``.
        data: The graph, set up.

    Raises:
        GraphDataError: If all features are 0: there is nothing to train on.
    """
    if options["data"]["source"] not in OWN_FILES:
        return []
    graph = data.graph
    found = remark_on_classes(graph.y[graph.y >= 0].bincount().tolist())
    remarks = list(filter(None, (remark_on_missing(data.class_names), found)))
    model = options["model"]
    bits = make_precision(model["bits"], model["stage_bits"]).input
    if graph.x.numel() <= _MOST_NUMBERS:
        sizes = column_sizes(graph.x)
        if sizes.largest == 0:
            raise GraphDataError(_NOTHING)
        remarks += remarks_on_columns(sizes, few_bits=bits <= _FEW_BITS)
    return remarks
