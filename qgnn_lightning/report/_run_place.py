"""Whether a path is the directory of a run, and where the runs are if it is not."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.errors import OptionError
from qgnn_lightning.storage import CONFIG_FILE

_MOST_NAMED = 3
#: Directories between a folder and the runs in it: runs/DATA_BITS/version_0, DIR/runs/seed_0-KEY.
_DEPTHS = ("*", "*/*", "*/*/*")


class ReportError(ValueError):
    """A run cannot be reported."""


class NoRunError(ReportError, OptionError):
    """A path that was named is no run."""


def check_is_run(path: Path) -> None:
    """Check that a path is the directory of a run.

    Args:
        path: The path.

    Raises:
        NoRunError: If it is a file or holds no run; the message names runs below it.
    """
    if path.is_file():
        raise NoRunError(
            f"{path} is a file: qgnn report takes directories of runs; qgnn fit names its own, "
            "qgnn seeds keeps them in DIR/runs, qgnn study keeps none"
        )
    if not (path / CONFIG_FILE).is_file():
        raise NoRunError(f"{path} holds no run: there is no {CONFIG_FILE} in it{_hint(path)}")


def _hint(path: Path) -> str:
    """The runs below a folder, the newest first; of the nearest depth that has some."""
    for depth in _DEPTHS:
        found = [one for one in path.glob(f"{depth}/{CONFIG_FILE}") if one.is_file()]
        found.sort(key=lambda one: (-one.stat().st_mtime, one))
        runs = [str(one.parent) for one in found]
        if len(runs) == 1:
            return f"; did you mean {runs[0]}?"
        if runs:
            more = f" and {len(runs) - _MOST_NAMED} more" if len(runs) > _MOST_NAMED else ""
            return f"; the runs below it, the newest first: {', '.join(runs[:_MOST_NAMED])}{more}"
    return ""
