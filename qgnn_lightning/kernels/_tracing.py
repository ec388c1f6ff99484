"""Whether torch records what is done instead of doing it."""

from __future__ import annotations

import torch
from torch._C._functorch import peek_interpreter_stack
from torch.utils._python_dispatch import is_in_torch_dispatch_mode


def is_traced() -> bool:
    """Return whether tensors made now may stand for values that are not known yet.

    Such tensors are not to be kept for later calls, nor handed to the compiled kernels.
    """
    if torch.compiler.is_compiling() or is_in_torch_dispatch_mode():
        return True
    if peek_interpreter_stack() is not None:  # within a transform of torch.func
        return True
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]
