"""Directories of runs: never overwritten, checked before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from qgnn_lightning.run import RunDirectory, RunDirectoryError


def test_versions_count_up_from_the_largest(tmp_path):
    for name in ("version_3", "version_x", "other", "version_-7"):
        (tmp_path / name).mkdir()
    assert RunDirectory.next_version(tmp_path).path == tmp_path / "version_4"
    assert RunDirectory.next_version(tmp_path).path == tmp_path / "version_5"
    assert RunDirectory.next_version(tmp_path / "new").path == tmp_path / "new" / "version_0"


def test_two_runs_at_once_get_two_directories(tmp_path, monkeypatch):
    (tmp_path / "version_0").mkdir()
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(()))  # as it looked a moment ago
    assert RunDirectory.next_version(tmp_path).path == tmp_path / "version_1"


def test_a_directory_with_a_run_is_refused(tmp_path):
    run = RunDirectory.named(tmp_path / "run")
    RunDirectory.named(tmp_path / "run")
    run.config.write_text("")
    with pytest.raises(RunDirectoryError, match=r"run holds a run already, which ended before "):
        RunDirectory.named(tmp_path / "run")
    run.last.write_text("")
    with pytest.raises(RunDirectoryError, match=r"run holds a run already: .*checkpoints/last\.c"):
        RunDirectory.named(tmp_path / "run")


@pytest.mark.parametrize("make", [RunDirectory.named, RunDirectory.next_version])
def test_what_cannot_be_written_is_refused_at_once(tmp_path, make):
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match=r"cannot be written to .*--run_dir"):
        make(tmp_path / "file" / "run")


def test_a_read_only_directory_is_refused(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(RunDirectoryError, match=r"run cannot be written to \(Permission denied\)"):
        RunDirectory.named(tmp_path / "run")


def test_a_checkpoint_knows_its_run(tmp_path):
    run = RunDirectory.named(tmp_path / "run")
    assert RunDirectory.of_checkpoint(run.best) is None
    run.config.write_text("")
    assert RunDirectory.of_checkpoint(run.best) == run
    assert RunDirectory.of_checkpoint(tmp_path / "run" / "best.ckpt") is None


def test_a_run_goes_on_where_it_was_or_takes_its_best_along(tmp_path):
    run = RunDirectory.named(tmp_path / "run")
    run.config.write_text("")
    run.best.write_text("best")
    assert RunDirectory.continued(run.last, None) == run
    assert RunDirectory.continued(run.last, run.path) == run
    other = RunDirectory.continued(run.last, tmp_path / "other")
    assert other is not None
    assert not other.best.exists()
    other.take_best_along(run.last)
    assert other.best.read_text() == "best"
    assert RunDirectory.continued(tmp_path / "lonely.ckpt", None) is None


def test_a_directory_is_named_from_the_current_folder_where_it_is_below_it(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for typed in (Path("runs/a"), here / "runs/b", Path("../c"), tmp_path / "d"):
        run = RunDirectory.named(typed)
        run.config.write_text("")
        below = typed.absolute().is_relative_to(here)
        assert run.path == (typed.absolute().relative_to(here) if below else typed)
        again = RunDirectory.of_checkpoint(run.last)
        assert again == run == RunDirectory.continued(run.last.absolute(), typed)


def test_folders_made_for_an_unused_directory_are_discarded(tmp_path):
    runs = tmp_path / "runs"
    RunDirectory.named(runs / "a" / "b").discard_if_unused()
    assert not runs.exists()
    RunDirectory.next_version(runs / "a").discard_if_unused()
    assert not runs.exists()
    first = RunDirectory.next_version(runs / "a")
    first.results.write_text("{}")
    RunDirectory.next_version(runs / "a").discard_if_unused()
    assert [path.name for path in (runs / "a").iterdir()] == ["version_0"]


def test_only_an_unused_directory_is_discarded(tmp_path):
    run = RunDirectory.named(tmp_path / "run")
    run.discard_if_unused()
    assert not run.path.exists()
    run.path.mkdir()
    run = RunDirectory.named(tmp_path / "run")
    run.discard_if_unused()
    assert list(run.path.iterdir()) == []
    run = RunDirectory.named(tmp_path / "run")
    run.results.write_text("{}")
    run.discard_if_unused()
    assert run.results.exists()
