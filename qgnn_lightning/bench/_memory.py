"""How much memory a call needs beyond what the process holds already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from qgnn_lightning import kernels

_PEAK, _NOW = "VmHWM", "VmRSS"
_RESET_PEAK = "5"


def extra_peak(run: Callable[[], Tensor]) -> tuple[Tensor, int | None]:
    """Call, and measure the most resident memory that the call added, its result included.

    Linux keeps the peak of a process and lets it be reset; elsewhere there is no number.

    Args:
        run: What to call.

    Returns:
        The result and the bytes, or ``None`` where they cannot be measured.
    """
    if kernels.why_unavailable("cpu") is None:
        kernels.cpu.release_workspace()
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
        before = _status(_NOW)
    except (OSError, KeyError):
        return run(), None
    result = run()
    return result, max(_status(_PEAK) - before, 0)


def _status(name: str) -> int:
    """A size in bytes from the kernel's record of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[name].split()[0]) * 1024
