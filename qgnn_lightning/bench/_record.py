"""A finished benchmark, and how it is written to a file."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from qgnn_lightning import kernels
from qgnn_lightning.bench._measure import Outcome, Timing
from qgnn_lightning.provenance import commit, num_cpus, versions

SCHEMA_VERSION = 1
_PACKAGES = ("torch", "torch-geometric", "numpy")


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What was measured, and of what.

    Args:
        name: ``propagate`` or ``model``.
        settings: The options.
        num_nodes: Nodes of the graph.
        num_nonzeros: Entries of the adjacency: both directions of every edge and self-loops.
        outcomes: One per candidate.
        notes: What the reader should know besides.
    """

    name: str
    settings: dict[str, Any]
    num_nodes: int
    num_nonzeros: int
    outcomes: Sequence[Outcome]
    notes: tuple[str, ...] = ()

    @property
    def fastest_float32(self) -> Outcome | None:
        """The fastest FP32 path, whoever's; ``None`` where none was measured."""
        peers = [one for one in self.outcomes if one.candidate.family == "fp32"]
        return min(peers, key=lambda one: one.timing.median, default=None)

    def ratio(self, outcome: Outcome) -> float | None:
        """How many times as fast as the fastest FP32 path; ``None`` for a part of the work."""
        fastest = self.fastest_float32
        if fastest is None or outcome.candidate.family == "control":
            return None
        return fastest.timing.median / outcome.timing.median

    @property
    def unequal(self) -> list[Outcome]:
        """Packed candidates whose result is not that of the fake-quantized computation."""
        return [one for one in self.outcomes if one.first.deviation_from_fake not in (None, 0.0)]


def memory_bytes() -> int | None:
    """Memory of this machine, or ``None`` where it does not say."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def record(benchmark: Benchmark, command: str) -> dict[str, Any]:
    """Everything as plain values, for a JSON file.

    Args:
        benchmark: What was measured.
        command: The command line.
    """
    fastest = benchmark.fastest_float32
    return {
        "schema_version": SCHEMA_VERSION,
        "benchmark": benchmark.name,
        "command": command,
        "settings": benchmark.settings,
        "graph": {"num_nodes": benchmark.num_nodes, "num_nonzeros": benchmark.num_nonzeros},
        "environment": environment(),
        "fastest_float32": None if fastest is None else fastest.candidate.name,
        "packed_equals_fake": not benchmark.unequal,
        "notes": list(benchmark.notes),
        "candidates": [_entry(benchmark, outcome) for outcome in benchmark.outcomes],
    }


def _entry(benchmark: Benchmark, outcome: Outcome) -> dict[str, Any]:
    candidate = outcome.candidate
    return {
        "name": candidate.name,
        "family": candidate.family,
        "description": candidate.description,
        "seconds": _seconds(outcome.timing),
        "parts": {part: _seconds(timing) for part, timing in outcome.parts.items()},
        "ratio": benchmark.ratio(outcome),
        "message_bytes": candidate.message_bytes,
        "model_bytes": candidate.model_bytes,
        **asdict(outcome.first),
    }


def _seconds(timing: Timing) -> dict[str, Any]:
    return {
        "median": timing.median,
        "min": timing.fastest,
        "max": timing.slowest,
        "runs": list(timing.seconds),
    }


def environment() -> dict[str, Any]:
    """Commit, versions and hardware."""
    return {
        "commit": commit(),
        "versions": versions(_PACKAGES),
        "hardware": {
            "processor": _processor(),
            "machine": platform.machine(),
            "cpus": num_cpus(),
            "memory_bytes": memory_bytes(),
        },
        "threads": torch.get_num_threads(),
        "wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "allocator": {key: value for key, value in os.environ.items() if key.startswith("MALLOC_")},
        "kernels": kernel_description(),
    }


def kernel_description() -> str:
    """Which packed kernels run here."""
    reason = kernels.why_unavailable("cpu")
    if reason is not None:
        return f"torch reference, slow: {reason}"
    isa = os.environ.get("QGNN_KERNEL_ISA") or kernels.cpu.available_isas()[-1]
    return f"C++, {isa}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
