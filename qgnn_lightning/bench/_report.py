"""A finished benchmark as text that fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from qgnn_lightning.bench._measure import Outcome
from qgnn_lightning.bench._record import Benchmark, kernel_description

_NONE = "-"
_BITS = re.compile(r"int[248]\b")
#: Bytes of a result from which on glibc gives its memory back to the system.
_GIVEN_BACK = 1 << 22


def report(benchmark: Benchmark) -> str:
    """The whole text: what was run, the table, the parts, and what to read off them.

    Args:
        benchmark: What was measured.
    """
    pieces = [_heading(benchmark), _table(benchmark), _parts(benchmark), _notes(benchmark)]
    return "\n\n".join(piece for piece in pieces if piece)


def _heading(benchmark: Benchmark) -> str:
    settings = benchmark.settings
    sizes = [
        f"{settings['graph'].replace('_', ' ')} graph of {benchmark.num_nodes:,} nodes",
        f"{benchmark.num_nonzeros:,} non-zeros",
        f"{settings['num_features']} features, {settings['num_steps']} steps",
    ]
    threads = torch.get_num_threads()
    run = f"{threads} thread{'s' if threads > 1 else ''}; packed kernels: {kernel_description()}"
    return f"{benchmark.name}: {', '.join(sizes)}\n{run}"


def _table(benchmark: Benchmark) -> str:
    with_model = any(one.candidate.model_bytes is not None for one in benchmark.outcomes)
    size = "model kB" if with_model else "sent MB"
    header = ["candidate", "median ms", "min..max ms", "runs", "vs fp32", size]
    header += ["peak+ MB", "max dev", "rel. err"]
    rows = [_row(benchmark, outcome, with_model) for outcome in benchmark.outcomes]
    return align([header, *rows])


def _row(benchmark: Benchmark, outcome: Outcome, with_model: bool) -> list[str]:
    candidate, timing, first = outcome.candidate, outcome.timing, outcome.first
    ratio, peak = benchmark.ratio(outcome), first.extra_peak_bytes
    model = candidate.model_bytes
    return [
        candidate.name,
        milliseconds(timing.median),
        f"{milliseconds(timing.fastest)}..{milliseconds(timing.slowest)}",
        str(len(timing.seconds)),
        _NONE if ratio is None else f"{ratio:.2f}x",
        _scaled(model if with_model else candidate.message_bytes, 1e3 if with_model else 1e6),
        _scaled(peak, 1e6),
        _small(first.max_deviation),
        _small(first.relative_error),
    ]


def _parts(benchmark: Benchmark) -> str:
    timed = [one for one in benchmark.outcomes if one.parts]
    if not timed:
        return ""
    names = list(timed[0].parts)
    rows = [
        [one.candidate.name, *(milliseconds(one.parts[name].median) for name in names)]
        for one in timed
    ]
    return align([["part, median ms", *names], *rows])


def _notes(benchmark: Benchmark) -> str:
    fastest = benchmark.fastest_float32
    lines = _legend(benchmark.outcomes)
    if fastest is not None:
        lines.append(f"vs fp32: speed relative to {fastest.candidate.name}, the fastest FP32 here")
        if fastest.candidate.message_bytes >= _GIVEN_BACK:
            lines.append(
                "fp32: half may be page faults, unless the allocator keeps memory (glibc: MALLOC_*)"
            )
    if _is_slow(benchmark):
        lines.append(
            "packed below 1x: expected on small graphs, whose float features fit a cache too"
        )
    lines.append("max dev, rel. err: against float64, largest difference and |H - H*| / |H*|")
    lines.append("peak+: most resident memory that one call added, its result included")
    counts = {len(one.timing.seconds) for one in benchmark.outcomes}
    if len(counts) > 1:
        lines.append("runs: fewer where one call takes more than 2 s")
    return "\n".join([*lines, *benchmark.notes, *_equality(benchmark)])


def _legend(outcomes: Sequence[Outcome]) -> list[str]:
    """What each candidate does; those that differ in their bits only are one name, ``int?``."""
    names: dict[str, dict[str, None]] = {}
    for one in outcomes:
        name = _BITS.sub("int?", one.candidate.name)
        names.setdefault(one.candidate.description, {})[name] = None
    return [f"{', '.join(same)}: {description}" for description, same in names.items()]


def _is_slow(benchmark: Benchmark) -> bool:
    """Whether a packed candidate is slower than the fastest FP32 path."""
    packed = [one for one in benchmark.outcomes if one.candidate.family == "packed"]
    return any((benchmark.ratio(one) or 1) < 1 for one in packed)


def _equality(benchmark: Benchmark) -> list[str]:
    checked = [one for one in benchmark.outcomes if one.first.deviation_from_fake is not None]
    if not checked:
        return []
    largest = max(one.first.deviation_from_fake or 0.0 for one in checked)
    equal = len(checked) - len(benchmark.unequal)
    return [
        f"packed = fake-quantized, bit for bit: {equal} of {len(checked)} "
        f"(max deviation {largest:.3g})"
    ]


def milliseconds(seconds: float) -> str:
    """A time in milliseconds, with two decimals below 100.

    Args:
        seconds: The time.
    """
    value = 1e3 * seconds
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _scaled(number: int | None, unit: float) -> str:
    if number is None:
        return _NONE
    value = number / unit
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def _small(number: float | None) -> str:
    return _NONE if number is None else f"{number:.1e}"


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns, the first to the left and the others to the right.

    Args:
        rows: Cells of every row, as many in each.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)
