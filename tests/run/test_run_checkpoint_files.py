"""Checkpoints on the disk: whole or not there, and nothing in them is trusted."""

from __future__ import annotations

import errno
import io
import os
import pickle
import random
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from qgnn_lightning.run import CheckpointError, CheckpointFiles, read_checkpoint

CONTENT = {"epoch": 3, "state_dict": {"weight": torch.arange(40.0)}, "betas": (0.9, 0.99)}


@pytest.fixture
def stored(tmp_path) -> Path:
    path = tmp_path / "a.ckpt"
    CheckpointFiles().save_checkpoint(CONTENT, path)
    return path


def rewritten(path: Path, pickled: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive with another pickle in it and right check sums."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else part)
    return path


def test_what_is_written_is_read(stored):
    found = read_checkpoint(stored)
    assert torch.equal(found["state_dict"].pop("weight"), torch.arange(40.0))
    assert found == {"epoch": 3, "state_dict": {}, "betas": (0.9, 0.99)}


def test_a_flipped_bit_is_found_or_of_no_consequence(stored):
    whole = stored.read_bytes()
    generator = random.Random(0)
    refused = 0
    for place in generator.sample(range(8 * len(whole)), 400):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        stored.write_bytes(flipped)
        try:
            found = read_checkpoint(stored)
        except CheckpointError:
            refused += 1
            continue
        assert torch.equal(found["state_dict"]["weight"], torch.arange(40.0))
        assert (found["epoch"], found["betas"]) == (3, (0.9, 0.99))
    assert refused > 100


def test_a_file_that_is_cut_is_refused(stored):
    whole = stored.read_bytes()
    for length in range(0, len(whole), 37):
        stored.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"a.ckpt is cut off or damaged$"):
            read_checkpoint(stored)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n", b"{}"])
def test_a_file_of_another_program_is_not_called_damaged(stored, content):
    stored.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a.ckpt is not a checkpoint of this program$"):
        read_checkpoint(stored)


class _Runs:
    def __reduce__(self):
        return (os.mkdir, ("crafted",))


class _TakesMemory:
    """torch's own list of what may be called has this one."""

    def __reduce__(self):
        return (bytearray, (2**40,))


@pytest.mark.parametrize("hostile", [_Runs(), _TakesMemory(), {1, 2}])
def test_only_what_our_checkpoints_name_is_called(stored, tmp_path, monkeypatch, hostile):
    monkeypatch.chdir(tmp_path)
    rewritten(stored, pickle.dumps({"epoch": hostile}, protocol=2))
    with pytest.raises(CheckpointError, match=r"not a checkpoint of this program"):
        read_checkpoint(stored)
    assert not Path("crafted").exists()


def test_what_torch_remarks_on_a_foreign_pickle_is_not_said(stored, monkeypatch):
    def load(*args, **options):
        warnings.warn("TypedStorage is deprecated", UserWarning, stacklevel=2)
        raise pickle.UnpicklingError("not ours")

    monkeypatch.setattr(torch, "load", load)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CheckpointError, match="is not a checkpoint of this program"):
            read_checkpoint(stored)


def test_no_tensor_is_larger_than_the_file(stored):
    torch.save({"weight": torch.zeros(1).expand(10**6, 10**6)}, stored)
    with pytest.raises(CheckpointError, match=r"not a checkpoint"):
        read_checkpoint(stored)


def test_nothing_is_compressed(stored):
    with zipfile.ZipFile(stored) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("data.pkl"))
        pickled = archive.read(name)
    with pytest.raises(CheckpointError, match=r"not a checkpoint"):
        read_checkpoint(rewritten(stored, pickled, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("kept", [False, True])
def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch, kept):
    path = tmp_path / "a.ckpt"
    if kept:
        CheckpointFiles().save_checkpoint(CONTENT, path)

    def full(self, content):
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CheckpointError, match=r"a.ckpt cannot be written: No space left"):
        CheckpointFiles().save_checkpoint({"epoch": 4}, path)
    assert sorted(tmp_path.iterdir()) == [path] * kept
    if kept:
        assert read_checkpoint(path)["epoch"] == 3


def test_the_file_is_made_where_it_will_be(tmp_path, monkeypatch):
    """Another folder may be on another disk, from which a file is copied, not renamed."""
    made: list[tuple[Path, Path]] = []
    replace = Path.replace

    def noted(self, target):
        made.append((self, target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    path = tmp_path / "a.ckpt"
    CheckpointFiles().save_checkpoint(CONTENT, path)
    ((source, target),) = made
    assert (source.parent, target) == (tmp_path, path)
    CheckpointFiles().remove_checkpoint(path)
    assert not path.exists()


def test_what_is_no_table_is_refused(tmp_path):
    torch.save([1], tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"a.ckpt is not a checkpoint of this program"):
        CheckpointFiles().load_checkpoint(tmp_path / "a.ckpt")


def test_a_tensor_of_another_kind_is_refused(tmp_path):
    content = io.BytesIO()
    torch.save({"weight": torch.eye(2).to_sparse()}, content)
    (tmp_path / "a.ckpt").write_bytes(content.getvalue())
    with pytest.raises(CheckpointError, match=r"not a checkpoint"):
        read_checkpoint(tmp_path / "a.ckpt")


def _circle():
    circle: list[object] = list(range(100))
    circle.append(circle)
    return circle


def _nested(depth=40):
    value: list[object] = []
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize("make", [_circle, _nested])
def test_values_that_hold_one_another_are_refused_at_once(tmp_path, make):
    """Copied or printed, they would take all memory there is."""
    torch.save({"state": {"step": make()}}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"not a checkpoint"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_values_that_are_the_same_twice_are_read(tmp_path):
    betas = (0.9, 0.999)
    torch.save({"groups": [{"betas": betas}, {"betas": betas}]}, tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt")["groups"][1]["betas"] == betas
