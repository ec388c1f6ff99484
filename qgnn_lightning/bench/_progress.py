"""One line on the standard error that says how far a benchmark is."""

from __future__ import annotations

import sys
import time

_START_OF_LINE, _CLEAR_LINE = "\r", "\x1b[K"
_SILENT_SECONDS = 2.0


class Progress:
    """Tells what is being done, in place on a terminal and every ten seconds elsewhere.

    Nothing is shown in the first two seconds.
    """

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._drawn = time.monotonic()
        self._wait = _SILENT_SECONDS
        self._on_screen = False

    def show(self, text: str) -> None:
        """Tell what is being done now.

        Args:
            text: One line.
        """
        now = time.monotonic()
        if now - self._drawn < self._wait:
            return
        self._drawn, self._wait = now, 0.2 if self._in_place else 10.0
        line = f"{_START_OF_LINE}{text}{_CLEAR_LINE}" if self._in_place else f"{text}\n"
        print(line, end="", file=sys.stderr, flush=True)
        self._on_screen = self._in_place

    def clear(self) -> None:
        """Take the line away."""
        if self._on_screen:
            print(_START_OF_LINE + _CLEAR_LINE, end="", file=sys.stderr, flush=True)
            self._on_screen = False
