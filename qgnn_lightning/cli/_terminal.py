"""Text from files, as a terminal may show it."""

from __future__ import annotations

from collections.abc import Iterable

_CUT = "…"


def printable(text: str) -> str:
    """A text without control characters, which a terminal would obey.

    Args:
        text: Any text.
    """
    return "".join(one if one.isprintable() else "?" for one in text)


def shortened(text: str, width: int) -> str:
    """A text that may be too long, as its beginning and its end: names often begin alike.

    Args:
        text: Any text.
        width: Most characters that it may have, at least 3.
    """
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}{_CUT}{text[-end:]}"


def listed(names: Iterable[str]) -> str:
    """Names one after the other, in quotation marks where they would be taken for several.

    Args:
        names: Any texts.
    """
    return ", ".join(repr(name) if _unclear(name) else name for name in map(printable, names))


def _unclear(name: str) -> bool:
    return not name or name != name.strip() or "," in name or name[0] in "'\""
