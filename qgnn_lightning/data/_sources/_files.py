"""Graphs published as files: download, completeness, cache."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qgnn_lightning.data._cache import content_key, load_or_build
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._source import Source
from qgnn_lightning.data._validation import GraphDataError


@dataclass(frozen=True)
class PublishedFiles:
    """The files of a published graph.

    Args:
        title: Name of the graph.
        folder: Folder of the files below the root, as PyG lays them out.
        names: Names of the files.
        download: Downloads the files into ``folder`` below the root it is given.
        read: Reads the graph from the folder it is given.
    """

    title: str
    folder: str
    names: tuple[str, ...]
    download: Callable[[Path], None]
    read: Callable[[Path], RawGraph]


class FileSource(Source):
    """A graph from published files, which are only ever read; what is derived goes to the cache.

    Args:
        files: The files of the graph.
        root: Folder of the data set; may be read-only where the files are there already.
        cache_dir: Folder for the graph as it was read, written atomically.
    """

    def __init__(self, files: PublishedFiles, root: Path, cache_dir: Path) -> None:
        self._files = files
        self._root = root
        self._cache_dir = cache_dir

    def prepare(self, *, download: bool) -> None:
        """Download the files where some are missing.

        Args:
            download: Whether missing files may be downloaded.

        Raises:
            GraphDataError: If files are missing and cannot be downloaded.
        """
        if self._missing() and download:
            self._download()
        self._require_files()

    def load(self) -> RawGraph:
        """Read the graph from the cache, or from the files.

        Raises:
            GraphDataError: If files are missing or cannot be read.
        """
        self._require_files()
        key = content_key([self._folder / name for name in self._files.names])
        name = f"{self._files.title.lower()}-{key[:16]}.safetensors"
        return load_or_build(self._cache_dir / "graphs" / name, self._read)

    @property
    def _folder(self) -> Path:
        return self._root / self._files.folder

    def _missing(self) -> list[str]:
        return [name for name in self._files.names if not (self._folder / name).is_file()]

    def _require_files(self) -> None:
        if self._missing():
            raise GraphDataError(self._complaint())

    def _complaint(self, reason: str = "") -> str:
        return (
            f"{self._files.title} needs {len(self._files.names)} files in {self._folder}, "
            f"missing: {', '.join(self._missing())}. {reason}"
            "Put them there, set data.root to the folder that holds "
            f"{self._files.folder}, or set data.download to true with network access."
        )

    def _download(self) -> None:
        # A folder that was named must exist but for its last part: else it is a slip of the pen.
        in_cache = self._root.is_relative_to(self._cache_dir)
        if not (in_cache or self._root.is_dir() or self._root.parent.is_dir()):
            raise GraphDataError(
                f"{self._files.title} cannot be downloaded to {self._root}: there is no folder "
                f"{self._root.parent}; make it, or set data.root to the folder that you meant"
            )
        # Downloaded aside and renamed, so that an interrupted download leaves no half file.
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._root, prefix=".download-") as aside:
                self._files.download(Path(aside))
                for name in self._files.names:
                    (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (Path(aside) / self._files.folder / name).replace(self._folder / name)
        except Exception as error:
            reason = f"The download failed ({type(error).__name__}: {error}). "
            raise GraphDataError(self._complaint(reason)) from error

    def _read(self) -> RawGraph:
        try:
            return self._files.read(self._folder)
        except ImportError:
            raise
        except Exception as error:
            raise GraphDataError(
                f"{self._files.title} cannot be read from {self._folder} "
                f"({type(error).__name__}: {error}); delete its files and download them again"
            ) from error


def published_name(source: str, name: str | None, names: tuple[str, ...]) -> str:
    """The published spelling of a name.

    Args:
        source: Name of the source, for the message.
        name: Name in any case.
        names: Published names.

    Raises:
        GraphDataError: If there is no such name.
    """
    for known in names:
        if name is not None and name.lower() == known.lower():
            return known
    raise GraphDataError(f"name must be one of {', '.join(names)} for {source}, got {name!r}")
