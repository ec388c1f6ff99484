"""Memory for large results, used again once a result is dropped.

Fresh memory costs a page fault for every page of it, which for a large result takes longer than to
compute it. So the memory of the last large result that was dropped is kept for the next one.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import weakref
from collections import deque

import torch
from torch import Tensor

#: Bytes from which on results are large.
LARGE = 1 << 22
_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)

_spare: deque[mmap.mmap] = deque(maxlen=1)


def empty_result(*shape: int) -> Tensor:
    """Return a float32 tensor of any values.

    Raises:
        MemoryError: If there is not as much memory.
    """
    size = 4 * math.prod(shape)
    if size < LARGE or _HUGE_PAGES is None:
        return torch.empty(shape)
    memory = _take(size)
    # The tensor holds on to `owner`, nothing else does: it dies with the last view of the tensor.
    owner = (ctypes.c_byte * size).from_buffer(memory)
    weakref.finalize(owner, _spare.append, memory).atexit = False
    return torch.frombuffer(owner, dtype=torch.float32).view(shape)


def release_results() -> int:
    """Free the memory that is kept; return its size in bytes."""
    freed = 0
    while _spare:
        freed += len(_spare.pop())
    return freed


def _take(size: int) -> mmap.mmap:
    try:
        memory = _spare.pop()
    except IndexError:
        return _map(size)
    return memory if size <= len(memory) <= 2 * size else _map(size)


def _map(size: int) -> mmap.mmap:
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"a result of {size:,} bytes does not fit into memory") from error
    assert _HUGE_PAGES is not None
    memory.madvise(_HUGE_PAGES)
    return memory
