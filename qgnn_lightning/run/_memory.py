"""What memory was asked for, where there is not enough of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from traceback import walk_tb
from types import FrameType, TracebackType

import torch
from torch import Tensor, nn

#: torch's own words, for the processor and for a device.
_ON_CPU = re.compile(r"DefaultCPUAllocator: .*you tried to allocate (\d+) bytes", re.DOTALL)
_ON_DEVICE = re.compile(r"Tried to allocate ([\d.]+) (\w+)")
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
#: Functions by which a step of the program is known, the most telling first.
_STEPS = {
    "backward": "the gradients (backward pass)",
    "optimizer_step": "the optimizer",
    "setup": "the data",
    "prepare_data": "the data",
}


def check_memory(blueprint: nn.Module) -> None:
    """Refuse a network that there is no memory for, before any of it is made.

    The system is asked for the memory, which is given back unused.

    Args:
        blueprint: The network with tensors that have no content.

    Raises:
        MemoryError: If it is not granted; the largest tensor is named.
    """
    tensors = dict(chain(blueprint.named_parameters(), blueprint.named_buffers()))
    size = sum(map(_num_bytes, tensors.values()))
    try:
        torch.empty(size, dtype=torch.uint8, device="cpu")
    except RuntimeError as error:
        name = max(tensors, key=lambda name: _num_bytes(tensors[name]))
        shape = " x ".join(f"{length:,}" for length in tensors[name].shape)
        raise MemoryError(
            f"not enough memory for the network, {_in_words(size)}: {name} alone is {shape} "
            f"numbers, {_in_words(_num_bytes(tensors[name]))}"
        ) from error


@contextmanager
def named_memory(model: nn.Module) -> Iterator[None]:
    """Say what memory was asked for in vain in the block, and by what.

    Args:
        model: The parts of it are known by their names.

    Raises:
        MemoryError: In place of the errors of torch.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        asked = _asked_for(str(error))
        if asked is None:
            raise
        purpose = _purpose(error.__traceback__, model)
        raise MemoryError(f"not enough memory: {asked} asked for at once{purpose}") from error


def _asked_for(message: str) -> str | None:
    """How much memory was refused, where an error is about that."""
    on_cpu = _ON_CPU.search(message)
    if on_cpu is not None:
        return _in_words(int(on_cpu[1]))
    on_device = _ON_DEVICE.search(message)
    if on_device is None or on_device[2] not in _UNITS:
        return None
    return _in_words(round(float(on_device[1]) * _UNITS[on_device[2]]))


def _purpose(traceback: TracebackType | None, model: nn.Module) -> str:
    """The innermost part of the model that was at work, or else the step of the program."""
    names = {id(module): name for name, module in model.named_modules() if name}
    frames = [frame for frame, _ in walk_tb(traceback)]
    for frame in reversed(frames):
        name = names.get(id(frame.f_locals.get("self")))
        if name is not None:
            return f", by {name} for {_tensors(frame)}"
    functions = {frame.f_code.co_name for frame in frames}
    return next((f", for {what}" for name, what in _STEPS.items() if name in functions), "")


def _tensors(frame: FrameType) -> str:
    """The largest input of a part of the model."""
    found = [one for one in frame.f_locals.values() if isinstance(one, Tensor)]
    largest = max(found, key=_num_bytes, default=None)
    if largest is None:
        return "its output"
    return f"an input of {' x '.join(f'{length:,}' for length in largest.shape)} numbers"


def _num_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _in_words(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"
