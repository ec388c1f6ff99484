"""Seeds as they are written: a number of them, a range, or a list."""

from __future__ import annotations

import re

from qgnn_lightning.study._options import StudyError

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def parse_seeds(given: object) -> tuple[int, ...]:
    """Read seeds.

    Args:
        given: ``10`` (0 to 9), ``"0..9"`` (both ends belong to it), ``"3,5"`` or ``[3, 5]``.

    Raises:
        StudyError: If it is none of these, or a seed comes twice.
    """
    seeds = _read(given)
    if not seeds or any(seed >= 2**32 for seed in seeds):
        raise StudyError(f"seeds must be numbers from 0 to 4294967295, at least one, got {given!r}")
    if len(set(seeds)) < len(seeds):
        raise StudyError(f"seeds must differ from each other, got {given!r}")
    return seeds


def _read(given: object) -> tuple[int, ...]:
    parts = given if isinstance(given, list) else str(given).split(",")
    if isinstance(given, bool) or not all(re.fullmatch(r"\d+", str(one)) for one in parts):
        found = _RANGE.fullmatch(str(given))
        if found is None:
            raise StudyError(
                f"seeds must be how many (10), a range (0..9) or a list (3,5), got {given!r}"
            )
        return tuple(range(int(found[1]), int(found[2]) + 1))
    if isinstance(given, list) or len(parts) > 1:
        return tuple(int(one) for one in parts)
    if not int(parts[0]):
        raise StudyError(f"seeds must say how many seeds, at least 1, got {given!r}")
    return tuple(range(int(parts[0])))
