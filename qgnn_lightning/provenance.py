"""Which state of the code made a result, and where."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from qgnn_lightning import __version__


def commit() -> str | None:
    """Commit of the package, where it is run from a checkout; with ``+`` after local changes."""
    folder = Path(__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    name, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", ".")
    return f"{name}+" if name and changes else name


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of this package, of Python, and of other packages.

    Args:
        packages: Names of the other packages.
    """
    found = {"qgnn-lightning": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def num_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
