"""Learning curves from TensorBoard's files."""

from __future__ import annotations

import logging
from pathlib import Path

from qgnn_lightning.report._numbers import finite
from qgnn_lightning.report._run_place import ReportError

#: Lightning writes it, from 0, beside all that it logs.
_EPOCH = "epoch"
_CURVES = ("train/loss", "val/loss", "train/accuracy", "val/accuracy")

Curve = list[tuple[int, float]]


def read_curves(path: Path) -> dict[str, Curve]:
    """Losses and accuracies by epoch from TensorBoard's files, where they can be read.

    Args:
        path: Directory of the run.

    Raises:
        ReportError: If the files are damaged.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not any(path.glob("events.out.tfevents.*")):
        return {}
    few = dict.fromkeys(("images", "histograms", "compressedHistograms", "tensors", "audio"), 1)
    log = logging.getLogger("tensorboard")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        events = EventAccumulator(str(path), size_guidance={"scalars": 0, **few}).Reload()
        there = set(events.Tags()["scalars"])
        found = {tag: events.Scalars(tag) for tag in _CURVES if tag in there}
        epochs = {one.step: round(one.value) + 1 for one in events.Scalars(_EPOCH)} if found else {}
    except Exception as error:  # its reader lets any error of the libraries below through
        raise ReportError(
            f"TensorBoard's files in {path} cannot be read ({type(error).__name__}: {error})"
        ) from error
    finally:
        log.setLevel(before)
    curves = {
        tag: {
            epochs[one.step]: one.value
            for one in scalars
            if one.step in epochs and finite(one.value) is not None
        }
        for tag, scalars in found.items()
    }
    return {tag: sorted(by_epoch.items()) for tag, by_epoch in curves.items()}
