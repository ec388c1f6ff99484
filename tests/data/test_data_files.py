"""Published files: complete or one clear error, never written to, cached by content."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import torch

from qgnn_lightning.data import GraphDataError
from qgnn_lightning.data._cache import content_key, default_cache_dir
from qgnn_lightning.data._raw_graph import RawGraph
from qgnn_lightning.data._sources._files import FileSource, PublishedFiles

_EDGES = torch.tensor([[0, 1], [1, 0]])


class Toy:
    """A published graph of two text files; the features are the numbers in the first."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache, self.reads, self.failure = root, cache, 0, None
        self.folder = root / "Toy" / "raw"
        files = PublishedFiles("Toy", "Toy/raw", ("x.txt", "y.txt"), self.download, self.read)
        self.source = FileSource(files, root, cache)

    def download(self, root: Path) -> None:
        folder = root / "Toy" / "raw"
        folder.mkdir(parents=True)
        (folder / "x.txt").write_text("1 2")
        if self.failure is not None:
            raise self.failure
        (folder / "y.txt").write_text("0 1")
        (root / "Toy" / "processed").mkdir()

    def read(self, folder: Path) -> RawGraph:
        self.reads += 1
        x = torch.tensor([[float(v)] for v in (folder / "x.txt").read_text().split()])
        return RawGraph(x, _EDGES, torch.tensor([0, 1]))


@pytest.fixture
def toy(tmp_path) -> Toy:
    return Toy(tmp_path / "root", tmp_path / "cache")


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_without_download_missing_files_are_listed_with_their_folder(toy):
    toy.folder.mkdir(parents=True)
    (toy.folder / "x.txt").write_text("1 2")
    message = f"Toy needs 2 files in {toy.folder}, missing: y.txt. Put them there"
    for call in (lambda: toy.source.prepare(download=False), toy.source.load):
        with pytest.raises(GraphDataError, match=re.escape(message)):
            call()


def test_a_download_brings_the_raw_files_and_nothing_else(toy):
    toy.source.prepare(download=True)
    assert _listing(toy.root) == {"Toy", "Toy/raw", "Toy/raw/x.txt", "Toy/raw/y.txt"}
    assert toy.source.load().x.tolist() == [[1.0], [2.0]]


def test_a_failed_download_leaves_no_half_file_and_says_why(toy):
    toy.failure = ConnectionError("no route to host")
    message = (
        f"in {toy.folder}, missing: x.txt, y.txt. "
        "The download failed (ConnectionError: no route to host). Put them there"
    )
    with pytest.raises(GraphDataError, match=re.escape(message)):
        toy.source.prepare(download=True)
    assert not _listing(toy.root)


def test_a_download_makes_no_folders_above_the_one_that_was_named(tmp_path):
    toy = Toy(tmp_path / "slip" / "root", tmp_path / "cache")
    with pytest.raises(
        GraphDataError, match=r"cannot be downloaded to .*: there is no folder .*slip"
    ):
        toy.source.prepare(download=True)
    assert _listing(tmp_path) == set()
    cached = Toy(tmp_path / "cache" / "deep" / "root", tmp_path / "cache")
    cached.source.prepare(download=True)
    assert (cached.folder / "y.txt").is_file()


def test_files_that_are_there_are_not_downloaded_again(toy):
    toy.source.prepare(download=True)
    toy.failure = AssertionError("downloaded again")
    toy.source.prepare(download=True)


def test_the_second_load_reads_the_cache_and_changed_files_do_not(toy):
    toy.source.prepare(download=True)
    first, second = toy.source.load(), toy.source.load()
    assert toy.reads == 1
    assert torch.equal(first.x, second.x)
    (toy.folder / "x.txt").write_text("3 4")
    assert toy.source.load().x.tolist() == [[3.0], [4.0]]
    assert toy.reads == 2


def test_the_key_depends_on_the_content_and_not_on_the_place(tmp_path):
    paths = [tmp_path / folder / "x" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text("same")
    assert content_key(paths[:1]) == content_key(paths[1:])
    paths[0].write_text("Same")
    assert content_key(paths[:1]) != content_key(paths[1:])


def test_a_damaged_cache_is_built_anew(toy):
    toy.source.prepare(download=True)
    toy.source.load()
    (cached,) = (toy.cache / "graphs").iterdir()
    whole = cached.read_bytes()
    for damaged in (b"", whole[:20], whole[:-8], b"x" * len(whole)):
        cached.write_bytes(damaged)
        assert toy.source.load().x.tolist() == [[1.0], [2.0]]
        assert cached.read_bytes() == whole


def test_the_cache_is_written_aside_and_renamed(toy, monkeypatch):
    toy.source.prepare(download=True)
    seen = []
    replace = Path.replace

    def watch(self: Path, target: Path) -> Path:
        seen.append((self.stat().st_size, self.parent, target.exists()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    toy.source.load()
    (cached,) = (toy.cache / "graphs").iterdir()
    assert seen == [(cached.stat().st_size, cached.parent, False)]


def test_an_interrupted_write_leaves_nothing(toy, monkeypatch):
    toy.source.prepare(download=True)

    def interrupt(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        toy.source.load()
    assert _listing(toy.cache) == {"graphs"}


def test_a_cache_that_cannot_be_written_is_noted_and_not_needed(toy, caplog):
    toy.source.prepare(download=True)
    toy.cache.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert toy.source.load().x.tolist() == [[1.0], [2.0]]
    assert "The graph is not cached" in caplog.text


def test_files_that_cannot_be_read_are_named(toy):
    toy.source.prepare(download=True)
    (toy.folder / "x.txt").write_text("one two")
    message = f"Toy cannot be read from {toy.folder} (ValueError: could not convert"
    with pytest.raises(GraphDataError, match=re.escape(message)):
        toy.source.load()


def test_the_cache_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "qgnn_lightning"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache_dir() == tmp_path / "home" / ".cache" / "qgnn_lightning"
