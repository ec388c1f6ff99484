"""What a run directory holds, read and checked; without torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from qgnn_lightning.report._curves import Curve, read_curves
from qgnn_lightning.report._numbers import count, finite, number, share
from qgnn_lightning.report._run_names import run_names
from qgnn_lightning.report._run_place import ReportError, check_is_run
from qgnn_lightning.storage import (
    CONFIG_FILE,
    DIAGNOSTICS_FILE,
    EVALUATION_FILE,
    RESULTS_FILE,
)

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
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Series:
    """One number per propagation step.

    Args:
        first: Number of the first propagation step.
        values: The numbers; ``None`` where one was not finite.
    """

    first: int
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Snapshot(Series):
    """The same at one time of the training.

    Args:
        first: Number of the first propagation step.
        values: The numbers; ``None`` where one was not finite.
        optimizer_step: How many steps of the optimizer had been done.
    """

    optimizer_step: int


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
        best_epoch: The epoch of the network that was tested, counted from 1.
        epochs: How many there were.
        seconds: How long the training took.
        bits: Bits of the quantized stages, once where they are the same.
        accuracy: On ``train``, ``val`` and ``test``, from 0 to 1.
        content_bytes: Size of codes, scales and biases: what any network has, packed or not.
        float32_bytes: Size of its weights in full precision.
        facts: Everything else that is shown, by name.
        environment: Versions and hardware, by name.
        series: What the observers saw in the tested network, by tag: numbers by propagation step.
    """

    data: Mapping[str, str]
    best_epoch: int
    epochs: int
    seconds: float
    bits: str
    accuracy: Mapping[str, float]
    content_bytes: int
    float32_bytes: int
    facts: Mapping[str, str]
    environment: Mapping[str, str]
    series: Mapping[str, Series]


@dataclass(frozen=True)
class RunRecord:
    """A run as its directory has it.

    Args:
        names: What it may be called in a report, the shortest first.
        config: Text of its configuration.
        results: Its results, or ``None`` where it has not ended.
        evaluation: Its test nodes, or ``None`` where they were not recorded.
        snapshots: What the observers measured, by tag, in the order of time.
        curves: Numbers by epoch, counted from 1, by tag.
    """

    names: tuple[str, ...]
    config: str
    results: Results | None
    evaluation: Evaluation | None
    snapshots: Mapping[str, list[Snapshot]] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called, unless another run is called the same."""
        return self.names[0]


def read_run(path: Path) -> RunRecord:
    """Read a run directory.

    Args:
        path: The directory.

    Raises:
        NoRunError: If it is none.
        ReportError: If a file in it is damaged.
    """
    check_is_run(path)
    results = _optional(path / RESULTS_FILE, _results)
    return RunRecord(
        names=run_names(path, None if results is None else results.data.get("Split")),
        config=(path / CONFIG_FILE).read_text(encoding="utf-8", errors="replace"),
        results=results,
        evaluation=_optional(path / EVALUATION_FILE, _evaluation),
        snapshots=_optional(path / DIAGNOSTICS_FILE, _snapshots) or {},
        curves=read_curves(path),
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
    bits = {name: count(number) for name, number in found["bits"].items() if count(number) < 32}
    seconds = found["seconds"]
    facts = {
        "Bits": ", ".join(f"{name} {number}" for name, number in bits.items()) or "32 everywhere",
        "Architecture": str(found.get("architecture", "decoupled")),
        "Messages": f"{found['messages']}, {count(found['num_steps'])} steps".replace("_", "-"),
        "Parameters": f"{count(found['num_parameters']):,}",
        "Best epoch": f"{count(found['best_epoch']) + 1} of {count(found['epochs'])}",
        "Time": f"{number(seconds['fit']):.1f} s to train, "
        f"{number(seconds['total']):.1f} s with starting and testing",
        "Seed": str(count(found["seed"])),
    }
    content, file = count(found["size_bytes"]["packed"]), found["size_bytes"].get("file")
    if file is not None:
        more = f"{count(file) - content:,} of them header and padding"
        facts["Packed file"] = f"{count(file):,} bytes, {more}"
    return Results(
        data=_data(found),
        best_epoch=count(found["best_epoch"]) + 1,
        epochs=count(found["epochs"]),
        seconds=number(seconds["fit"]),
        bits=", ".join(map(str, dict.fromkeys(bits.values()))) or "32",
        accuracy={split: share(found["accuracy"][split]) for split in ("train", "val", "test")},
        content_bytes=content,
        float32_bytes=count(found["size_bytes"]["float32"]),
        facts=facts,
        series={
            str(tag): Series(count(one["first"]), tuple(map(finite, one["values"])))
            for tag, one in (found.get("diagnostics") or {}).items()
        },
        environment={str(k): str(v) for k, v in {**found["versions"], **found["hardware"]}.items()},
    )


def _data(results: Mapping[str, Any]) -> dict[str, str]:
    """The graph of a run; of a run that did not note its sizes, what its options call it."""
    found = results.get("data")
    options = results.get("config", {}).get("data", {})
    split = {"Split": str(options["split"])} if options.get("split") else {}
    if found is None:
        words = [str(options[name]) for name in ("source", "name") if options.get(name)]
        return {"Data": " ".join(words) or "not recorded", **split}
    kind = "directed" if found["directed"] else "undirected"
    return {
        "Data": str(found["title"]),
        "Nodes": f"{count(found['num_nodes']):,}",
        "Edges": f"{count(found['num_edges']):,} {kind}",
        "Features": f"{count(found['num_features']):,}",
        "Classes": f"{count(found['num_classes']):,}",
        **split,
    }


def _evaluation(text: str) -> Evaluation:
    found = json.loads(text)
    names = tuple(map(str, found["class_names"]))
    confusion = tuple(tuple(map(count, row)) for row in found["confusion"])
    if {len(confusion), *map(len, confusion)} != {len(names)}:
        raise ValueError(f"confusion must be {len(names)} x {len(names)}")
    return Evaluation(
        class_names=names,
        confusion=confusion,
        degrees=tuple(
            DegreeAccuracy(str(one["degree"]), count(one["nodes"]), count(one["correct"]))
            for one in found["degrees"]
        ),
        ranges=tuple(
            StageRange(str(one["name"]), count(one["bits"]), str(one["scale"]))
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
        values = tuple(map(finite, one["values"]))
        step = count(one["step"]) + 1  # files count from 0
        found.setdefault(str(one["tag"]), {})[step] = Snapshot(count(one["first"]), values, step)
    return {tag: [by_step[step] for step in sorted(by_step)] for tag, by_step in found.items()}
