"""The examples run as they stand, and reach what they should."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

_EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, _EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_own_graph_from_csv_to_packed_integers_and_into_pyg(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["own_graph.py"])
    before = tmp_path / "own" / "run" / "config.yaml"  # of a run before, which is started over
    before.parent.mkdir(parents=True)
    before.write_text("model: {}")
    accuracies = load("own_graph").run(tmp_path / "own", epochs=60)
    results = json.loads((tmp_path / "own" / "run" / "results.json").read_text())
    assert accuracies["packed, 2 bits"] == pytest.approx(results["accuracy"]["test"], abs=1e-6)
    assert set(accuracies) == {"packed, 2 bits", "PyG with our layers"}
    assert min(accuracies.values()) > 0.8
    page = (tmp_path / "own" / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">cultivar 0</th>' in page
    predictions = (tmp_path / "own" / "predictions.csv").read_text().splitlines()
    assert predictions[1].startswith("wine 0,cultivar 0,")
