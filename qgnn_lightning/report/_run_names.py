"""What runs are called in a report: as short as tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

#: What `qgnn seeds` calls the directory of a run: its seed, and the beginning of a hash.
_OF_SEED = re.compile(r"seed_(\d+)-([0-9a-f]{4})[0-9a-f]*")


def run_names(path: Path, split: str | None) -> tuple[str, ...]:
    """Names of a run, each longer than the one before.

    Args:
        path: Its directory.
        split: Which split of the nodes it was trained on, where it has noted it.
    """
    _, *folders, last = ("", *path.absolute().parts[1:])
    found = _OF_SEED.fullmatch(last)
    if found is not None:
        seed = f"seed {found[1]}"
        with_split = f"{seed}, {split} split" if split else seed
        # DIR/runs/seed_N-HASH
        with_folder = "/".join([*folders[-2:-1], with_split])
        return seed, with_split, with_folder, f"{with_folder}, {found[2]}"
    name = "/".join([*folders[-1:], last]) if last.startswith("version_") else last
    more = 1 + name.count("/")
    return name, "/".join([*folders[-more:][:1], name])


def told_apart(names: list[tuple[str, ...]]) -> list[str]:
    """The shortest names of some runs that differ from each other, as far as they do at all.

    Args:
        names: Names of each run, the shortest first.
    """
    chosen = [one[0] for one in names]
    for length in range(1, max(map(len, names), default=0)):
        number = Counter(chosen)
        chosen = [
            shown if number[shown] == 1 or length >= len(one) else one[length]
            for shown, one in zip(chosen, names, strict=True)
        ]
    return chosen
