"""Faults of the rows of files: what is wrong in many rows for one reason is told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from qgnn_lightning.data._validation import Faults, GraphDataError

#: Subjects of one kind that have a line each; of more, the first speaks for all.
_MOST_SUBJECTS = 5
_MOST_NUMBERS = 8
_LONGEST_CELL = 60


def shown(cell: str) -> str:
    """A cell as messages quote it: its beginning, where it is long."""
    return repr(cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}...")


class Place(NamedTuple):
    """Where a row stands.

    Args:
        path: The file.
        unit: What ``number`` counts: ``line``, ``row`` or ``node``.
        number: Its number.
    """

    path: Path
    unit: str
    number: int

    def __str__(self) -> str:
        """As editors and compilers write it, where the unit is a line."""
        mark = ":" if self.unit == "line" else f", {self.unit} "
        return f"{self.path}{mark}{self.number}"


class RowError(GraphDataError):
    """A row of a file breaks a rule.

    Args:
        place: The row.
        kind: What breaks the rule in this way, in the plural: ``unknown names``.
        subject: Which one it is. Rows with the same subject are one fault.
        rule: The rule and the value found.

    Attributes:
        node: Name of the node that the row is about, where the rule does not name it.
        hint: What to do about it, where that is known.
    """

    def __init__(self, place: Place, kind: str, subject: str, rule: str) -> None:
        super().__init__()
        self.place = place
        self.kind = kind
        self.subject = subject
        self.rule = rule
        self.node: str | None = None
        self.hint = ""

    def __str__(self) -> str:
        """The message, as if it were the only row."""
        return self.told("")

    def told(self, rows: str) -> str:
        """The message.

        Args:
            rows: What is said about other rows with this fault.
        """
        node = "" if self.node is None else f"node {shown(self.node)}"
        details = "; ".join(filter(None, (node, rows)))
        inside = f" ({details})" if details else ""
        return f"{self.place}: {self.rule}{inside}{self.hint and '; '}{self.hint}"


@dataclass
class SameFault:
    """The rows of one file with one subject.

    Args:
        first: The first of them.
        count: Their number.
        numbers: Numbers of the first few.
    """

    first: RowError
    count: int = 0
    numbers: list[int] = field(default_factory=list)
    _last: int | None = None

    def add(self, fault: RowError) -> None:
        """Count another row; rows come in their order."""
        if fault.place.number == self._last:
            return
        self._last = fault.place.number
        self.count += 1
        if len(self.numbers) < _MOST_NUMBERS:
            self.numbers.append(self._last)


class _FoldedError(GraphDataError):
    """The rows of one or several subjects, told as one."""

    def __init__(self, subjects: Sequence[SameFault], num_rows: int | None) -> None:
        first = subjects[0].first
        self.place = first.place
        self.num_places = sum(one.count for one in subjects)
        numbers = sorted({number for one in subjects for number in one.numbers})[:_MOST_NUMBERS]
        all_told = all(one.count == len(one.numbers) for one in subjects)
        rows = f"{first.place.unit}{'s'[: len(numbers) - 1]} {', '.join(map(str, numbers))}"
        more = "" if all_told and len(numbers) < _MOST_NUMBERS else ", ..."
        where = f"in {self.num_places:,} rows: {rows}{more}"
        if len(subjects) > 1:
            names = ", ".join(shown(one.first.subject) for one in subjects[:_MOST_NUMBERS])
            also = ", ..." if len(subjects) > _MOST_NUMBERS else ""
            kinds = f"{len(subjects):,} {first.kind}: {names}{also}"
            where = f"one of {kinds}; in {self.num_places:,} places, {rows}{more}"
        elif self.num_places == num_rows:
            where = f"in all {num_rows:,} rows"
        super().__init__(first.told(where if self.num_places > 1 else ""))


class FileFaults(Faults):
    """Faults of several files; those of their rows are told by subject."""

    def __init__(self) -> None:
        super().__init__("qgnn data check")
        self._subjects: dict[tuple[Path, str, str], SameFault] = {}
        self._num_rows: dict[Path, int | None] = {}

    def add(self, fault: GraphDataError) -> None:
        """Keep a fault."""
        if isinstance(fault, RowError):
            self._num_rows.setdefault(fault.place.path, None)
            key = (fault.place.path, fault.kind, fault.subject)
            if key not in self._subjects:
                # Its traceback would keep what it was read from in memory.
                self._subjects[key] = SameFault(fault.with_traceback(None))
            self._subjects[key].add(fault)
        elif not isinstance(fault, _ToldError):
            super().add(fault)

    def of_kind(self, kind: str) -> list[SameFault]:
        """The faults of rows of a kind."""
        return [one for one in self._subjects.values() if one.first.kind == kind]

    def drop(self, faults: Iterable[SameFault]) -> None:
        """Forget faults of rows that follow from others."""
        for one in faults:
            del self._subjects[one.first.place.path, one.first.kind, one.first.subject]

    def in_rows_of(self, path: Path) -> bool:
        """Whether rows of a file have faults."""
        return any(place == path for place, _, _ in self._subjects)

    def stop(self, path: Path, num_rows: int | None = None) -> None:
        """End the checks of a file whose rows have faults; the next ones would rest on them.

        Args:
            path: The file.
            num_rows: How many rows it has, where it is a table.

        Raises:
            GraphDataError: If they have; it says nothing new to these faults.
        """
        if num_rows is not None:
            self._num_rows[path] = num_rows
        if self.in_rows_of(path):
            raise _ToldError

    def tell(self) -> None:
        """End the checks.

        Raises:
            GraphDataError: If anything was found.
        """
        kinds: dict[tuple[Path, str], list[SameFault]] = {}
        for (path, kind, _), one in self._subjects.items():
            kinds.setdefault((path, kind), []).append(one)
        for fault in sorted(self._folded(kinds), key=self._order):
            super().add(fault)
        self._subjects.clear()
        super().tell()

    def _folded(self, kinds: Mapping[tuple[Path, str], list[SameFault]]) -> Iterator[_FoldedError]:
        for (path, _), subjects in kinds.items():
            apart = [[one] for one in subjects]
            for together in apart if len(subjects) <= _MOST_SUBJECTS else [subjects]:
                yield _FoldedError(together, self._num_rows.get(path))

    def _order(self, fault: _FoldedError) -> tuple[int, int]:
        """Files as they were read, and the rows of each."""
        return list(self._num_rows).index(fault.place.path), fault.place.number


class _ToldError(GraphDataError):
    """Ends the checks of a file whose faults are kept already."""
