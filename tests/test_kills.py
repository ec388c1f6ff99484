"""A command that is killed between two changes of its file leaves the old one or the new one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_STUDY = Path(__file__).parents[1] / "benchmarks" / "trust" / "kills.py"


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)
def test_a_killed_export_leaves_the_old_file_or_the_new_one(tmp_path):
    output = tmp_path / "kills.json"
    study = [sys.executable, str(_STUDY), "--only=export", f"--output={output}"]
    subprocess.run(study, check=True, capture_output=True)
    found = json.loads(output.read_text())["export"]["kills"]
    assert {(kill["operation"], kill["file"]) for kill in found.values()} >= {
        *((one, "a.safetensors, unfinished") for one in ("open", "write", "fsync", "chmod")),
        ("rename", "a.safetensors"),
    }
    assert all(kill["wrong"] == [] for kill in found.values())
    assert output.with_suffix(".md").read_text().count("| export |") == len(
        {(kill["operation"], kill["file"]) for kill in found.values()}
    )


def test_the_first_a_middle_and_the_last_change_of_each_kind_are_found(monkeypatch):
    monkeypatch.syspath_prepend(_STUDY.parent)
    from killing import Change, places

    changes = []
    for number, target in enumerate(("best", "best", "last", "best", "best", "best", "last")):
        name = f".unfinished-aaaaaaa{number}.ckpt"
        changes += [Change("write", name, ""), Change("rename", f"{target}.ckpt", name)]
    changes += [Change("write", f"events.out.tfevents.{number}", "") for number in (1, 2)]
    found = {place.name: (place.pattern, place.number, place.of) for place in places(changes)}
    unfinished = ".unfinished-????????.ckpt"
    assert found == {
        # Of the writes to unfinished checkpoints, those of best are 0, 1, 3, 4 and 5.
        "first write of best.ckpt, unfinished": (unfinished, 0, 5),
        "middle write of best.ckpt, unfinished": (unfinished, 3, 5),
        "last write of best.ckpt, unfinished": (unfinished, 5, 5),
        "first rename of best.ckpt": ("best.ckpt", 0, 5),
        "middle rename of best.ckpt": ("best.ckpt", 2, 5),
        "last rename of best.ckpt": ("best.ckpt", 4, 5),
        "first write of last.ckpt, unfinished": (unfinished, 2, 2),
        "last write of last.ckpt, unfinished": (unfinished, 6, 2),
        "first rename of last.ckpt": ("last.ckpt", 0, 2),
        "last rename of last.ckpt": ("last.ckpt", 1, 2),
        "first write of events.out.tfevents.*": ("events.out.tfevents.*", 0, 2),
        "last write of events.out.tfevents.*": ("events.out.tfevents.*", 1, 2),
    }
