"""What a run directory holds, read and checked; without torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from qgnn_lightning.errors import OptionError
from qgnn_lightning.storage import (
    CONFIG_FILE,
    DIAGNOSTICS_FILE,
    EVALUATION_FILE,
    RESULTS_FILE,
)

#: Lightning writes it, from 0, beside all that it logs.
_EPOCH = "epoch"
_CURVES = ("train/loss", "val/loss", "train/accuracy", "val/accuracy")
#: What a file raises that does not hold what was written to it.
_WRONG = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
)
#: Beyond it, differences and ratios would overflow.
_LARGEST = 1e150
_Result = TypeVar("_Result")

Curve = list[tuple[int, float]]


class ReportError(ValueError):
    """A run cannot be reported."""


class NoRunError(ReportError, OptionError):
    """A directory that was named holds no run."""


@dataclass(frozen=True)
class Snapshot:
    """One number per propagation step, at one time of the training.

    Args:
        optimizer_step: How many steps of the optimizer had been done.
        first: Number of the first propagation step.
        values: The numbers; ``None`` where one was not finite.
    """

    optimizer_step: int
    first: int
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class DegreeAccuracy:
    """Test nodes with similar numbers of neighbours.

    Args:
        name: Their degrees.
        nodes: How many they are.
        correct: How many of them were classified correctly.
    """

    name: str
    nodes: int
    correct: int


@dataclass(frozen=True)
class StageRange:
    """The range of one part of the network.

    Args:
        name: The part.
        bits: Bits of its codes.
        scale: Scale of its grid, or of the smallest and the largest.
    """

    name: str
    bits: int
    scale: str


@dataclass(frozen=True)
class Evaluation:
    """The best network on the test nodes.

    Args:
        class_names: Names of the classes.
        confusion: Number of nodes by true class (row) and predicted class (column).
        degrees: Accuracy by degree.
        ranges: Ranges of the parts.
    """

    class_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    degrees: tuple[DegreeAccuracy, ...]
    ranges: tuple[StageRange, ...]


@dataclass(frozen=True)
class Results:
    """What came out of a finished run.

    Args:
        data: Name and sizes of the graph, by name.
        bits: Bits of the quantized stages, once where they are the same.
        accuracy: On ``train``, ``val`` and ``test``, from 0 to 1.
        packed: What ``packed_bytes`` is the size of.
        packed_bytes: Size of the packed file; of its codes, scales and biases alone, where the run
            did not note it.
        float32_bytes: Size of its weights in full precision.
        facts: Everything else that is shown, by name.
        environment: Versions and hardware, by name.
    """

    data: Mapping[str, str]
    bits: str
    accuracy: Mapping[str, float]
    packed: str
    packed_bytes: int
    float32_bytes: int
    facts: Mapping[str, str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class RunRecord:
    """A run as its directory has it.

    Args:
        name: What it is called in the report.
        config: Text of its configuration.
        results: Its results, or ``None`` where it has not ended.
        evaluation: Its test nodes, or ``None`` where they were not recorded.
        snapshots: What the observers measured, by tag, in the order of time.
        curves: Numbers by epoch, counted from 1, by tag.
    """

    name: str
    config: str
    results: Results | None
    evaluation: Evaluation | None
    snapshots: Mapping[str, list[Snapshot]] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)


def read_run(path: Path) -> RunRecord:
    """Read a run directory.

    Args:
        path: The directory.

    Raises:
        NoRunError: If it holds no run.
        ReportError: If a file in it is damaged.
    """
    if not (path / CONFIG_FILE).is_file():
        inside = sorted(child.parent for child in path.glob(f"*/{CONFIG_FILE}"))
        hint = f"; did you mean {inside[-1]}?" if inside else ""
        raise NoRunError(f"{path} holds no run: there is no {CONFIG_FILE} in it{hint}")
    absolute = path.absolute()
    name = absolute.name
    if name.startswith("version_"):
        name = f"{absolute.parent.name}/{name}"
    return RunRecord(
        name=name,
        config=(path / CONFIG_FILE).read_text(encoding="utf-8", errors="replace"),
        results=_optional(path / RESULTS_FILE, _results),
        evaluation=_optional(path / EVALUATION_FILE, _evaluation),
        snapshots=_optional(path / DIAGNOSTICS_FILE, _snapshots) or {},
        curves=_read_curves(path),
    )


def _optional(path: Path, parse: Callable[[str], _Result]) -> _Result | None:
    if not path.is_file():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except _WRONG as error:
        what = f"{type(error).__name__}: {error}"
        raise ReportError(f"{path} does not hold what qgnn fit writes ({what})") from error


def _results(text: str) -> Results:
    found = json.loads(text)
    bits = {name: _count(number) for name, number in found["bits"].items() if _count(number) < 32}
    seconds = found["seconds"]
    facts = {
        "Bits": ", ".join(f"{name} {number}" for name, number in bits.items()) or "32 everywhere",
        "Architecture": str(found.get("architecture", "decoupled")),
        "Messages": f"{found['messages']}, {_count(found['num_steps'])} steps".replace("_", "-"),
        "Parameters": f"{_count(found['num_parameters']):,}",
        "Best epoch": f"{_count(found['best_epoch']) + 1} of {_count(found['epochs'])}",
        "Time": f"{_number(seconds['fit']):.1f} s to train, "
        f"{_number(seconds['total']):.1f} s with starting and testing",
        "Seed": str(_count(found["seed"])),
    }
    content, file = found["size_bytes"]["packed"], found["size_bytes"].get("file")
    return Results(
        data=_data(found),
        bits=", ".join(map(str, dict.fromkeys(bits.values()))) or "32",
        accuracy={split: _share(found["accuracy"][split]) for split in ("train", "val", "test")},
        packed="Codes, scales, biases" if file is None else "Packed file",
        packed_bytes=_count(content if file is None else file),
        float32_bytes=_count(found["size_bytes"]["float32"]),
        facts=facts,
        environment={str(k): str(v) for k, v in {**found["versions"], **found["hardware"]}.items()},
    )


def _data(results: Mapping[str, Any]) -> dict[str, str]:
    """The graph of a run; of a run that did not note its sizes, what its options call it."""
    found = results.get("data")
    if found is None:
        options = results.get("config", {}).get("data", {})
        words = [str(options[name]) for name in ("source", "name") if options.get(name)]
        return {"Data": " ".join(words) or "not recorded"}
    kind = "directed" if found["directed"] else "undirected"
    return {
        "Data": str(found["title"]),
        "Nodes": f"{_count(found['num_nodes']):,}",
        "Edges": f"{_count(found['num_edges']):,} {kind}",
        "Features": f"{_count(found['num_features']):,}",
        "Classes": f"{_count(found['num_classes']):,}",
    }


def _evaluation(text: str) -> Evaluation:
    found = json.loads(text)
    names = tuple(map(str, found["class_names"]))
    confusion = tuple(tuple(map(_count, row)) for row in found["confusion"])
    if {len(confusion), *map(len, confusion)} != {len(names)}:
        raise ValueError(f"confusion must be {len(names)} x {len(names)}")
    return Evaluation(
        class_names=names,
        confusion=confusion,
        degrees=tuple(
            DegreeAccuracy(str(one["degree"]), _count(one["nodes"]), _count(one["correct"]))
            for one in found["degrees"]
        ),
        ranges=tuple(
            StageRange(str(one["name"]), _count(one["bits"]), str(one["scale"]))
            for one in found["ranges"]
        ),
    )


def _snapshots(text: str) -> dict[str, list[Snapshot]]:
    """What the observers wrote; an unfinished last line is left out, of repeated ones the last."""
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        lines.pop()
    found: dict[str, dict[int, Snapshot]] = {}
    for line in lines:
        one = json.loads(line)
        values = tuple(_finite(value) for value in one["values"])
        step = _count(one["step"]) + 1  # files count from 0
        found.setdefault(str(one["tag"]), {})[step] = Snapshot(step, _count(one["first"]), values)
    return {tag: [by_step[step] for step in sorted(by_step)] for tag, by_step in found.items()}


def _finite(value: Any) -> float | None:
    """A number that can be drawn, or ``None``."""
    return float(value) if value is not None and abs(float(value)) < _LARGEST else None


def _number(value: Any) -> float:
    found = _finite(value)
    if found is None:
        raise ValueError(f"a finite number is needed, got {value!r}")
    return found


def _share(value: Any) -> float:
    if not 0 <= _number(value) <= 1:
        raise ValueError(f"a number in [0, 1] is needed, got {value!r}")
    return float(value)


def _count(value: Any) -> int:
    if not 0 <= _number(value) < 2**63:
        raise ValueError(f"a number of things is needed, got {value!r}")
    return int(value)


def _read_curves(path: Path) -> dict[str, Curve]:
    """Losses and accuracies by epoch from TensorBoard's files, where they can be read."""
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
            if one.step in epochs and _finite(one.value) is not None
        }
        for tag, scalars in found.items()
    }
    return {tag: sorted(by_epoch.items()) for tag, by_epoch in curves.items()}
