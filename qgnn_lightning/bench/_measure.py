"""The protocol: all candidates in one process, alternating, after a first call of each."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qgnn_lightning.bench._candidate import Candidate
from qgnn_lightning.bench._memory import extra_peak
from qgnn_lightning.bench._progress import Progress


@dataclass(frozen=True)
class Protocol:
    """How often every candidate is timed.

    Args:
        repeats: Timed calls of every candidate.
        slow_seconds: A candidate that takes longer is called less often.
        slow_repeats: Timed calls of such a candidate.

    Raises:
        ValueError: If a number of calls is below 1.
    """

    repeats: int = 7
    slow_seconds: float = 2.0
    slow_repeats: int = 3

    def __post_init__(self) -> None:
        for name in ("repeats", "slow_repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def is_done(self, times: Sequence[float]) -> bool:
        """Whether a candidate was timed often enough."""
        if len(times) >= self.slow_repeats and statistics.median(times) > self.slow_seconds:
            return True
        return len(times) >= self.repeats


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated calls.

    Args:
        seconds: One number per call.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median."""
        return statistics.median(self.seconds)

    @property
    def fastest(self) -> float:
        """Least."""
        return min(self.seconds)

    @property
    def slowest(self) -> float:
        """Most."""
        return max(self.seconds)


@dataclass(frozen=True)
class FirstCall:
    r"""What the first call of a candidate showed.

    Args:
        max_deviation: Largest absolute difference from the exact result.
        relative_error: :math:`|H - H^*|_F / |H^*|_F`.
        deviation_from_fake: Largest absolute difference from the fake-quantized result.
        extra_peak_bytes: Most memory that the call added.
    """

    max_deviation: float | None = None
    relative_error: float | None = None
    deviation_from_fake: float | None = None
    extra_peak_bytes: int | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that was measured of a candidate.

    Args:
        candidate: The candidate.
        first: What its first call showed.
        timing: Its time.
        parts: Time of its parts.
    """

    candidate: Candidate
    first: FirstCall
    timing: Timing
    parts: dict[str, Timing]


@torch.no_grad()
def measure(
    candidates: Sequence[Candidate],
    exact: Tensor | None,
    protocol: Protocol,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Measure candidates side by side.

    The first call of each is not timed: it warms up, shows the memory and is compared with the
    exact result. Then all are timed in rounds, in another order each.

    Args:
        candidates: What to measure.
        exact: The exact result, or ``None`` to compare nothing.
        protocol: How often.
        progress: Where to tell how far it is.
    """
    progress = progress or Progress()
    first = {}
    for number, candidate in enumerate(candidates, 1):
        progress.show(f"first call {number}/{len(candidates)}: {candidate.name}")
        first[candidate.name] = _first_call(candidate, exact)
    times = _rounds(candidates, protocol, progress)
    progress.clear()
    return [
        Outcome(
            candidate,
            first[candidate.name],
            Timing(tuple(times[candidate.name, ""])),
            {part: Timing(tuple(times[candidate.name, part])) for part in candidate.parts},
        )
        for candidate in candidates
    ]


def _first_call(candidate: Candidate, exact: Tensor | None) -> FirstCall:
    result, peak = extra_peak(candidate.run)
    for part in candidate.parts.values():
        part()
    if exact is None or candidate.family == "control":
        return FirstCall(extra_peak_bytes=peak)
    from_fake = None
    if candidate.twin is not None:
        from_fake = float((result - candidate.twin()).abs().max())
    difference = result.double().sub_(exact)
    relative = float(difference.norm() / exact.norm().clamp(min=1e-300))
    return FirstCall(float(difference.abs().max()), relative, from_fake, peak)


def _rounds(
    candidates: Sequence[Candidate], protocol: Protocol, progress: Progress
) -> dict[tuple[str, str], list[float]]:
    calls: dict[tuple[str, str], Callable[[], Tensor]] = {}
    for candidate in candidates:
        calls[candidate.name, ""] = candidate.run
        calls |= {(candidate.name, part): run for part, run in candidate.parts.items()}
    times: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for number in range(protocol.repeats):
        left = [key for key in calls if not protocol.is_done(times[key])]
        for key in random.Random(number).sample(left, len(left)):
            progress.show(
                f"round {number + 1}/{protocol.repeats}: {' '.join(key).strip()}"
                f"{_time_left(times, protocol)}"
            )
            times[key].append(_seconds(calls[key]))
    return times


def _seconds(call: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result
    return seconds


def _time_left(times: dict[tuple[str, str], list[float]], protocol: Protocol) -> str:
    """How long the calls that are left will take, once every candidate was called."""
    if not all(times.values()):
        return ""
    seconds = 0.0
    for done in times.values():
        is_slow = statistics.median(done) > protocol.slow_seconds
        wanted = min(protocol.repeats, protocol.slow_repeats if is_slow else protocol.repeats)
        seconds += max(wanted - len(done), 0) * statistics.median(done)
    return f", about {seconds:.0f} s left"
