"""Reading run directories: what is there is read, what is damaged is named."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from run_directories import EVALUATION, RESULTS, write_run

from qgnn_lightning.callbacks._run_log import DIAGNOSTICS_FILE
from qgnn_lightning.report import ReportError, _run_record, read_run
from qgnn_lightning.report._run_record import Snapshot
from qgnn_lightning.run import RunDirectory


def test_names_of_the_files_are_those_of_the_run(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.config.name == _run_record.CONFIG_FILE
    assert run.results.name == _run_record.RESULTS_FILE
    assert run.evaluation.name == _run_record.EVALUATION_FILE
    assert _run_record.DIAGNOSTICS_FILE == DIAGNOSTICS_FILE


def test_a_run_is_read(tmp_path):
    run = read_run(write_run(tmp_path / "cora" / "version_3"))
    assert run.name == "cora/version_3"
    assert run.names[1] == f"{tmp_path.name}/cora/version_3"
    assert run.results is not None
    assert run.results.accuracy == RESULTS["accuracy"]
    assert run.results.bits == "2, 4"
    assert run.results.facts["Best epoch"] == "5 of 9"
    assert run.results.environment == {"python": "3.11", "cpus": "2", "gpus": "[]"}
    assert run.evaluation is not None
    assert run.evaluation.confusion == ((3, 1), (0, 4))
    assert run.snapshots["dirichlet_energy/symmetric"] == [
        Snapshot(0, (8.0, 4.0, 2.0, 1.0), 1),
        Snapshot(0, (9.0, 5.0, None, 2.0), 10),
    ]
    assert run.curves == {}


def test_what_a_run_has_not_written_yet_is_missing(tmp_path):
    run = read_run(write_run(tmp_path / "run", results=None, evaluation=None, diagnostics=None))
    assert (run.results, run.evaluation, run.snapshots, run.curves) == (None, None, {}, {})


def test_an_unfinished_line_is_left_out_and_a_repeated_one_counts_last(tmp_path):
    path = write_run(tmp_path / "run", diagnostics=None)
    line = '{"step": 1, "tag": "t", "first": 1, "values": [%s]}\n'
    (path / "diagnostics.jsonl").write_text(line % 1 + line % 2 + '{"step": 2, "tag": "t", "fi')
    assert read_run(path).snapshots == {"t": [Snapshot(1, (2.0,), 2)]}


def test_curves_come_from_all_event_files_without_repeated_steps(tmp_path):
    """Five optimizer steps in each epoch; of what broke off, the epoch was not written."""
    from torch.utils.tensorboard import SummaryWriter

    path = write_run(tmp_path / "run")
    halves = (("a", {4: 3.0, 9: 2.0}), ("b", {9: 2.5, 14: 1.0, 19: float("nan"), 24: 0.5}))
    for suffix, values in halves:
        with SummaryWriter(path, filename_suffix=suffix) as writer:
            for step, value in values.items():
                writer.add_scalar("val/loss", value, step)
                writer.add_scalar("other", value, step)
                if step < 20:
                    writer.add_scalar("epoch", step // 5, step)
    curves = read_run(path).curves
    assert set(curves) == {"val/loss"}
    assert curves["val/loss"] == [(1, 3.0), (2, 2.5), (3, 1.0)]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("results.json", "{"),
        ("results.json", "[]"),
        ("results.json", '{"bits": {"input": "many"}}'),
        ("evaluation.json", '{"class_names": ["a"], "confusion": [[1, 2]]}'),
        ("evaluation.json", '{"class_names": 3}'),
        ("evaluation.json", json.dumps(EVALUATION | {"confusion": [[1e400, 0], [0, -1]]})),
        ("results.json", json.dumps(RESULTS | {"size_bytes": {"packed": 10**400, "float32": 1}})),
        ("results.json", json.dumps(RESULTS | {"accuracy": {"train": 2, "val": 1, "test": 1}})),
        ("results.json", json.dumps(RESULTS | {"seed": None})),
        ("evaluation.json", "[" * 100_000),
        ("diagnostics.jsonl", "no\n"),
        ("diagnostics.jsonl", '{"step": 1, "tag": "t", "first": 1, "values": ["x"]}\n'),
    ],
)
def test_damaged_files_are_named(tmp_path, file, content):
    path = write_run(tmp_path / "run")
    (path / file).write_text(content)
    with pytest.raises(ReportError, match=f"{file} does not hold what qgnn fit writes"):
        read_run(path)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(ReportError, match=r"holds no run: there is no config.yaml in it$"):
        read_run(tmp_path)
    write_run(tmp_path / "version_0")
    with pytest.raises(ReportError, match=r"did you mean .*version_0\?"):
        read_run(tmp_path)


def test_torch_is_not_imported(tmp_path):
    path = write_run(tmp_path / "run")
    (path / "events.out.tfevents.1.a").write_bytes(b"no events")
    code = (
        "import sys\nfrom qgnn_lightning.cli import main\n"
        f"assert main(['report', {str(path)!r}, '-o', {str(tmp_path / 'r.html')!r}]) == 0\n"
        "assert not {'torch', 'lightning', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
