"""Names of classes that may be meant as a label that is not known."""

from __future__ import annotations

from collections.abc import Sequence

from qgnn_lightning.cli._terminal import printable

#: What pandas, R, SQL and spreadsheets write where there is nothing.
_WORDS = frozenset(("nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "?", "unknown"))


def remark_on_missing(names: Sequence[str]) -> str | None:
    """What to do about classes that may be none, if there are any.

    Args:
        names: Names of the classes.
    """
    found = [printable(name) for name in names if name.casefold() in _WORDS]
    if not found:
        return None
    return (
        f"a class is called {' and another '.join(found)}: where a label is not known, leave its "
        "cell empty"
    )
