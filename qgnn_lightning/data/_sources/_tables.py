"""Tables of text, row by row, from CSV and Parquet files."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qgnn_lightning.data._sources._row_faults import Place, RowError, shown
from qgnn_lightning.data._sources._unreadable import unreadable
from qgnn_lightning.data._validation import GraphDataError

#: The endings of the files that are tables.
SUFFIXES = (".csv", ".parquet")

#: Number and cells of each row.
_Rows = Iterator[tuple[int, Sequence[str]]]
#: What pandas calls an index without a name in Parquet files; in CSV files it stays empty.
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}


class Row(NamedTuple):
    """One row of a table.

    Args:
        cells: Its cells, in the order of the header; they may be more or fewer.
        number: Its number in the file.
        table: The table.
    """

    cells: Sequence[str]
    number: int
    table: Table

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.table.path, self.table.unit, self.number)


class Table:
    """A file with named columns, read as it is iterated over, once.

    Args:
        path: The file.
        header: Names of the columns.
        unit: What numbers its rows: ``line`` or ``row``.
        rows: What stands behind the header.

    Attributes:
        num_rows: Rows that were read so far.
    """

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        unit: str,
        rows: Iterator[tuple[int, Sequence[str]]],
    ) -> None:
        self.path = path
        self.header = tuple(header)
        self.unit = unit
        self.num_rows = 0
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        """The rows."""
        for number, cells in self._rows:
            self.num_rows += 1
            yield Row(cells, number, self)

    @property
    def columns(self) -> str:
        """The header as messages tell it."""
        return ", ".join(self.header)[:200] or "none"

    def column(self, name: str) -> int | None:
        """Position of a column, or ``None`` where there is none."""
        return self.header.index(name) if name in self.header else None

    def check(self, row: Row) -> None:
        """Check that a row has as many cells as the header.

        Raises:
            RowError: If it has more or fewer.
        """
        got, wanted = len(row.cells), len(self.header)
        if got != wanted:
            rule = f"must have {wanted} cells as the header has, got {got}"
            raise RowError(row.place, "wrong numbers of cells", str(got), rule)

    def require(self, needed: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Check the names of the columns.

        Args:
            needed: Names that must be there.
            optional: Names that may be there.

        Raises:
            GraphDataError: If a column is missing, unknown or named twice.
        """
        known = {*needed, *optional}
        if set(needed) <= set(self.header) <= known and len(set(self.header)) == len(self.header):
            return
        more = f", and may have {', '.join(optional)}" if optional else ""
        raise GraphDataError(
            f"{self.path} must have the columns {', '.join(needed)}{more}, got {self.columns}"
            f"{self._meant(known)}"
        )

    def _meant(self, known: set[str]) -> str:
        """What columns may have been meant by those that are not known."""
        meant = []
        for name in self.header:
            close = difflib.get_close_matches(name.lower(), known.difference(self.header), n=1)
            if close and name not in known:
                meant.append(f"{close[0]} by {shown(name)}")
        return f"; did you mean {', '.join(meant)}?" if meant else ""


def open_table(path: Path) -> Table:
    """Open a table; its rows are read later.

    Args:
        path: A file that ends in ``.csv`` (UTF-8, comma-separated, with a header) or
            ``.parquet`` (needs pyarrow).

    Raises:
        GraphDataError: If the file cannot be read, or a column has no name.
    """
    table = _open_parquet(path) if path.suffix == ".parquet" else _open_csv(path)
    _check_names(table)
    return table


def _check_names(table: Table) -> None:
    for position, name in enumerate(table.header, 1):
        if not name or _PANDAS_INDEX.fullmatch(name):
            raise GraphDataError(
                f"{table.path}: column {position} must have a name, got {shown(name)}: call it "
                "node if it holds the names of the nodes, else leave it out (pandas writes its "
                "index, unless index=False is given)"
            )


def _open_csv(path: Path) -> Table:
    lines = _csv_lines(path)
    header = next(lines, (1, []))[1]
    if not header:
        raise GraphDataError(f"{path} is empty")
    for mark, name in _OTHER_MARKS.items():
        if len(header) == 1 and mark in header[0]:
            raise GraphDataError(f"{path} must have its columns set apart by commas, got {name}")
    return Table(path, header, "line", lines)


def _csv_lines(path: Path) -> _Rows:
    """Number and cells of each line that is not blank."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if reader.line_num > number + 1:
                    raise csv.Error("a quote is not closed on its line")
                number = reader.line_num
                if cells:
                    yield number, [cell.strip() for cell in cells]
    except UnicodeDecodeError as error:
        raise _wrong_byte(path) from error
    except csv.Error as error:
        what = "a quote is not closed" if "field limit" in str(error) else str(error)
        raise GraphDataError(f"{path}:{number + 1}: {what}") from error
    except OSError as error:
        raise unreadable(path, "comma-separated text in UTF-8", error) from error


def _wrong_byte(path: Path) -> GraphDataError:
    """The error for text that is not in UTF-8; where that is, the reader of blocks did not know."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return GraphDataError(
                f"{path}:{number}: must be comma-separated text in UTF-8, the byte "
                f"0x{line[error.start]:02x} is not: save the file again with that encoding"
            )
    return GraphDataError(f"{path} was changed while it was read")


def _open_parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise GraphDataError(
            f"{path} needs pyarrow: pip install 'qgnn-lightning[parquet]', or use a .csv file"
        ) from None
    try:
        content = parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise unreadable(path, "a Parquet file", error) from error
    rows = _parquet_rows(path, content, pyarrow.ArrowException)
    return Table(path, content.schema_arrow.names, "row", rows)


def _parquet_rows(path: Path, content: Any, failure: type[Exception]) -> _Rows:
    number = 0
    try:
        for batch in content.iter_batches():
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, ["" if cell is None else str(cell) for cell in cells]
    except (OSError, failure) as error:
        raise unreadable(path, f"a Parquet file; after row {number}", error) from error
