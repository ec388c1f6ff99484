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
    options = ["--only=export", "--every=2", f"--output={output}"]
    subprocess.run([sys.executable, str(_STUDY), *options], check=True, capture_output=True)
    found = json.loads(output.read_text())["export"]
    assert found["kills"] >= 3
    assert found["wrong"] == []
