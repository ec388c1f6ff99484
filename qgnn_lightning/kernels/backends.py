"""Which implementation runs: chosen by name, or the best there is."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import cache
from typing import Literal

import torch

from . import cpu
from .validation import check_choice

BACKENDS = ("reference", "cpu", "triton")
Backend = Literal["auto", "reference", "cpu", "triton"]


class BackendUnavailableError(RuntimeError):
    """A backend was asked for by name and cannot run here."""


def _why_no_triton() -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    if not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1":
        return "there is no CUDA device"
    return None


_REASONS: dict[str, Callable[[], str | None]] = {
    "reference": lambda: None,
    "cpu": cpu.why_unavailable,
    "triton": _why_no_triton,
}


def why_unavailable(name: str) -> str | None:
    """Return why a backend cannot run here, or ``None`` if it can.

    Raises:
        ValueError: If there is no backend of this name.
    """
    check_choice("backend", name, BACKENDS)
    return _REASONS[name]()


def available_backends() -> tuple[str, ...]:
    """Return the backends that can run here."""
    return tuple(name for name in BACKENDS if why_unavailable(name) is None)


@cache
def _warn_fallback(wanted: str, reason: str) -> None:
    warnings.warn(
        f"packed kernels fall back to the slower torch reference: "
        f"backend {wanted!r} is not available: {reason}",
        RuntimeWarning,
        stacklevel=3,
    )


def resolve(backend: str, device: torch.device) -> str:
    """Return the backend to run on tensors of a device.

    ``auto`` takes ``cpu`` or ``triton`` by device and falls back to ``reference`` with one warning;
    a name is taken at its word.

    Raises:
        ValueError: If the name is unknown, or the backend does not work on the device.
        BackendUnavailableError: If the backend cannot run here, with the reason.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    if backend == "auto":
        wanted = {"cpu": "cpu", "cuda": "triton"}.get(device.type, "reference")
        reason = why_unavailable(wanted)
        if reason is not None:
            _warn_fallback(wanted, reason)
            return "reference"
        return wanted
    reason = why_unavailable(backend)
    if reason is not None:
        raise BackendUnavailableError(f"backend {backend!r} is not available: {reason}")
    if backend == "cpu" and device.type != "cpu":
        raise ValueError(f"backend 'cpu' needs tensors on the CPU, got device {device}")
    return backend
