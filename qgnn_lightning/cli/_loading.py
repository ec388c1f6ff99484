"""A sign of life while the libraries are imported, or something else takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TEXT = "loading torch and lightning ..."
_CLEAR_LINE = "\r\x1b[K"


@contextmanager
def loading(quiet: bool, text: str = _TEXT) -> Iterator[None]:
    """Say on the standard error that something happens, where a person looks at it.

    The line is gone when the block ends.

    Args:
        quiet: Whether nothing but errors is to be printed.
        text: What happens.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    print(text, end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)
