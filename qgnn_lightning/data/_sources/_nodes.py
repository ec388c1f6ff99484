"""What the files of a graph call its nodes."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from array import array
from collections.abc import Collection, Sequence
from pathlib import Path

from qgnn_lightning.data._sources._row_faults import Place


class Nodes(ABC):
    """The nodes by their names and by their numbers.

    Args:
        path: The file that lists them.
        named: Whether a column names them; else their names are their numbers.

    Attributes:
        counted: Whether their names are 0, 1, 2, ... in the order of the rows, which then tells
            them as well as a name.
    """

    def __init__(self, path: Path, *, named: bool) -> None:
        self.path = path
        self.named = named
        self.counted = True

    @abstractmethod
    def find(self, name: str) -> int | None:
        """Number of a node that another file names, or ``None`` where it is none."""

    @abstractmethod
    def at(self, position: int) -> int | None:
        """Number of the node of a row by the row's position, or ``None`` where it is too far."""

    @abstractmethod
    def name(self, node: int) -> str:
        """Name of a node."""

    @abstractmethod
    def place(self, node: int) -> Place:
        """Where a node is listed."""

    @abstractmethod
    def has_label(self, node: int) -> bool:
        """Whether the class of a node is known."""

    @abstractmethod
    def count_or(self, found: int) -> int:
        """Number of the nodes, or what a file makes of it where it is not known."""

    @abstractmethod
    def missing(self, seen: Collection[int]) -> list[int]:
        """The nodes that are not among those seen."""


class ListedNodes(Nodes):
    """The nodes of the file with the labels, in its order.

    Names that Unicode calls equivalent are the same name: it has two forms for a letter with an
    accent, which look alike.

    Args:
        path: The file.
        unit: What numbers its rows: ``line``, ``row`` or ``node``.
        named: Whether a column names the nodes; else their names are their numbers.
    """

    def __init__(self, path: Path, unit: str, *, named: bool) -> None:
        super().__init__(path, named=named)
        self._unit = unit
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._rows = array("q")
        self._labelled = bytearray()
        self._found = bytearray()

    def add(self, name: str, row: int, *, labelled: bool) -> None:
        """List another node.

        Args:
            name: Its name, a new one.
            row: Number of its row.
            labelled: Whether its class is known.
        """
        self.counted = self.counted and name == str(len(self))
        self._numbers[unicodedata.normalize("NFC", name)] = len(self)
        self._names.append(name)
        self._rows.append(row)
        self._labelled.append(labelled)
        self._found.append(False)

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self._names)

    @property
    def names(self) -> Sequence[str]:
        """Names of the nodes."""
        return self._names

    def listed(self, name: str) -> int | None:
        """Number of a node, or ``None`` where there is none of that name."""
        return self._numbers.get(unicodedata.normalize("NFC", name))

    def find(self, name: str) -> int | None:
        """Number of a node that another file names, or ``None`` where it is none."""
        node = self.listed(name)
        if node is not None:
            self._found[node] = True
        return node

    def never_found(self) -> list[str]:
        """The nodes that no other file names."""
        return [name for name, found in zip(self._names, self._found, strict=True) if not found]

    def at(self, position: int) -> int | None:
        """Number of the node of a row by the row's position, or ``None`` where it is too far."""
        return position if position < len(self) else None

    def name(self, node: int) -> str:
        """Name of a node."""
        return self._names[node]

    def place(self, node: int) -> Place:
        """Where a node is listed."""
        return Place(self.path, self._unit, self._rows[node])

    def has_label(self, node: int) -> bool:
        """Whether the class of a node is known."""
        return bool(self._labelled[node])

    def count_or(self, found: int) -> int:
        """Number of the nodes."""
        return len(self)

    def missing(self, seen: Collection[int]) -> list[int]:
        """The nodes that are not among those seen."""
        return sorted(set(range(len(self))).difference(seen)) if len(seen) < len(self) else []


class UnlistedNodes(Nodes):
    """Stands in for the nodes where the file with the labels cannot be read: any name is a node.

    What other files say can then be checked as far as it is about them alone.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, named=False)
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def find(self, name: str) -> int:
        """Number of a node; a new one for a new name."""
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]

    def at(self, position: int) -> int:
        """Number of the node of a row by the row's position."""
        return self.find(str(position))

    def name(self, node: int) -> str:
        """Name of a node."""
        return self._names[node]

    def place(self, node: int) -> Place:
        """The file alone says where it lists a node."""
        return Place(self.path, "node", node)

    def has_label(self, node: int) -> bool:
        """Whether the class of a node is known: it may be."""
        return True

    def count_or(self, found: int) -> int:
        """What a file makes of the number of nodes."""
        return found

    def missing(self, seen: Collection[int]) -> list[int]:
        """The nodes that are not among those seen: it is not known whether there are any."""
        return []
