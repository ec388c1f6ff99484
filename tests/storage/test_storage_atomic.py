"""A file is there as a whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import time

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


def test_the_next_writer_removes_what_killed_ones_have_left_and_nothing_else(tmp_path):
    target = tmp_path / "a.csv"
    code = (
        "import os, pathlib, sys\nfrom qgnn_lightning.storage import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as path:\n"
        "    path.write_text('half')\n    print(path, flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as alive:
        left, held = (tmp_path / one.stdout.readline().strip() for one in (killed, alive))
        killed.kill()
        killed.wait()
        mine = [tmp_path / name for name in (".unfinished-notes", ".unfinished-a.ckpt", "b.csv")]
        young = tmp_path / ".unfinished-abcdefgh.csv"
        for path in mine:
            path.touch()
        for path in (left, held, *mine):
            os.utime(path, (time.time() - 60,) * 2)
        young.touch()
        with atomic_path(target) as path:
            path.write_text("whole")
        assert set(tmp_path.iterdir()) == {target, held, young, *mine}
        alive.communicate("")
        assert alive.returncode == 0
    assert target.read_text() == "half"


def test_a_link_is_not_followed(tmp_path):
    link, aim = tmp_path / ".unfinished-abcdefgh", tmp_path / "aim"
    aim.touch()
    link.symlink_to(aim)
    os.utime(aim, (0, 0))
    with atomic_path(tmp_path / "file") as path:
        path.touch()
    assert link.is_symlink()
    assert aim.exists()
