"""A file is there as a whole or not at all."""

from __future__ import annotations

import os

import pytest

from qgnn_lightning.storage import atomic_path, remove_unfinished, unfinished_path


def test_new_content_takes_the_place_of_the_old(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with atomic_path(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
        assert path.suffix == ".txt"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_the_old_content_and_no_rest(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as path:
            path.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_are_those_of_any_new_file(tmp_path):
    target, plain = tmp_path / "file", tmp_path / "plain"
    plain.touch()
    with atomic_path(target) as path:
        path.write_text("")
    assert os.stat(target).st_mode == os.stat(plain).st_mode


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic_path(tmp_path / "nowhere/file"):
        pass


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / "inner").mkdir()
    kept, left = tmp_path / "inner" / "a.ckpt", unfinished_path(tmp_path / "inner" / "a.ckpt")
    kept.touch()
    left.touch()
    with atomic_path(kept) as path:
        assert path in set(kept.parent.iterdir()) - {kept, left}
        remove_unfinished(tmp_path / "elsewhere")
        assert path.exists()
    remove_unfinished(tmp_path)
    assert list(kept.parent.iterdir()) == [kept]
