"""Text from files, as a terminal may show it."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text without control characters, which a terminal would obey.

    Args:
        text: Any text.
    """
    return "".join(one if one.isprintable() else "?" for one in text)
