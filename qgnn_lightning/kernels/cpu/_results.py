"""Memory for large results, used again once a result is dropped.

Fresh memory costs a page fault for every page of it, which for a large result takes longer than to
compute it. So the memory of the last results that were dropped is kept for later ones.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import weakref
from collections import deque

import torch
from torch import Tensor

#: Bytes from which on results are large.
LARGE = 1 << 22
#: Bytes that are kept at most; larger results are freed as they are dropped.
KEPT = 1 << 30
_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)

# The last to be dropped at the right. Results may be dropped while any line below runs.
_spare: deque[mmap.mmap] = deque()


def empty_result(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a tensor of any values.

    Raises:
        MemoryError: If there is not as much memory.
    """
    size = dtype.itemsize * math.prod(shape)
    if size < LARGE or _HUGE_PAGES is None:
        return torch.empty(shape, dtype=dtype, device="cpu")  # whatever the default is
    memory = _take(size)
    # The tensor holds on to `owner`, nothing else does: it dies with the last view of the tensor.
    owner = (ctypes.c_byte * size).from_buffer(memory)
    weakref.finalize(owner, _keep, memory).atexit = False
    return torch.frombuffer(owner, dtype=dtype).view(shape)


def release_results() -> int:
    """Free the memory that is kept; return its size in bytes."""
    freed = 0
    while _spare:
        freed += len(_spare.pop())
    return freed


def _take(size: int) -> mmap.mmap:
    fitting = [memory for memory in list(_spare) if size <= len(memory) <= 2 * size]
    for memory in sorted(fitting, key=len):
        try:
            _spare.remove(memory)
        except ValueError:  # taken by another thread
            continue
        return memory
    return _map(size)


def _keep(memory: mmap.mmap) -> None:
    _spare.append(memory)
    while sum(map(len, list(_spare))) > KEPT:
        with contextlib.suppress(IndexError):  # taken by another thread
            _spare.popleft()


def _map(size: int) -> mmap.mmap:
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"a result of {size:,} bytes does not fit into memory") from error
    assert _HUGE_PAGES is not None
    memory.madvise(_HUGE_PAGES)
    return memory
