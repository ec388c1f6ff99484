"""The kind of error that all parts share."""

from __future__ import annotations


class OptionError(ValueError):
    """The value of an option is refused for what it names, or does not go with the data.

    Values that are wrong by themselves are a plain :class:`ValueError` of what is made of them.
    """
