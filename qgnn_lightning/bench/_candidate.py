"""What is measured: one way to compute the result."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from torch import Tensor

#: ``fp32`` computes in float32, ``control`` a part of the work only, ``fake`` simulates few bits
#: in float32, ``packed`` runs on integers of few bits.
Family = Literal["fp32", "control", "fake", "packed"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to compute the result.

    Args:
        name: Its name in the table.
        family: What kind of computation it is.
        description: What it does, in one line.
        run: Computes the result.
        message_bytes: Bytes of what the nodes send in one step.
        model_bytes: Bytes of the weights, where there are any.
        twin: The fake-quantized computation whose result a packed one must equal.
        parts: Parts of the computation that are also timed on their own.
    """

    name: str
    family: Family
    description: str
    run: Callable[[], Tensor]
    message_bytes: int
    model_bytes: int | None = None
    twin: Callable[[], Tensor] | None = None
    parts: Mapping[str, Callable[[], Tensor]] = field(default_factory=dict)


def select(names: Iterable[str], patterns: Sequence[str] | None) -> list[str]:
    """The names that a pattern matches, in their order.

    Args:
        names: All names.
        patterns: Names, or patterns as of file names (``fp32-*``); ``None`` takes all.

    Raises:
        ValueError: If a pattern matches no name.
    """
    known = list(names)
    if patterns is None:
        return known
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            close = difflib.get_close_matches(pattern, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ValueError(
                f"candidates must match one of {', '.join(known)}; {hint}got {pattern!r}"
            )
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
