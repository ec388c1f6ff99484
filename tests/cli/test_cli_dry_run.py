"""``qgnn fit --dry_run`` and ``--quiet``."""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace

import pytest
import torch
from commands import assert_same_weights, load

from qgnn_lightning.data import GraphBatch
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import Trial, plan_training


@pytest.fixture
def batch() -> GraphBatch:
    part = torch.arange(50) % 3
    edges = torch.randint(50, (2, 100))
    return GraphBatch.from_tensors(
        torch.rand(50, 6), edges, part, *(part == split for split in range(3))
    )


def test_a_dry_run_tells_sizes_and_leaves_nothing(fit, tmp_path):
    outcome = fit("--dry_run")
    assert outcome.code == 0, outcome.err
    facts = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in outcome.out.splitlines()[:-2])
    # 8 features -> 8 hidden -> 3 classes, with biases.
    weights = 8 * 8 + 8 + 8 * 3 + 3
    assert facts["size"].endswith(f"x smaller than float32 ({4 * weights:,})")
    assert facts["training"] == "3 epochs, optimizer steps in each: 1"
    assert facts["graph"].startswith("60 nodes, ")
    assert "run directory  runs/block_model_int2/version_N" in outcome.out
    assert outcome.out.endswith("dry run: nothing was kept or written\n")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_knows_the_size_of_the_packed_file(fit, tmp_path):
    size = r"\nsize +([\d,]+) bytes as a packed file \(more where multipliers act\): "
    told = re.search(size, fit("--dry_run").out)
    assert told is not None
    assert fit("--run_dir=run").code == 0
    written = json.loads((tmp_path / "run" / "results.json").read_text())["size_bytes"]["file"]
    assert f"{written:,}" == told[1]
    assert "packed file" not in fit("--dry_run", "--model.architecture=gcn").out


def test_a_dry_run_checks_what_a_run_would_check(fit):
    assert fit("--dry_run", "--model.num_steps=0").code == 2
    outcome = fit("--dry_run", "--model.teacher_ckpt=none.ckpt")
    assert outcome.code == 2
    assert "teacher_ckpt must be a checkpoint file" in outcome.err


def test_a_dry_run_tells_its_time_and_on_what_it_rests(fit, monkeypatch):
    def slow(self, *_):
        time.sleep(0.05)

    monkeypatch.setattr(NodeClassifier, "on_train_epoch_start", slow)
    outcome = fit("--dry_run", "--trainer.max_epochs=100")
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("time "))
    found = re.fullmatch(
        r"time +about (\d+) s in all, (\d+) ms per epoch: \d+ epochs tried, without checkpoints",
        line,
    )
    assert found is not None, line
    assert int(found[1]) == pytest.approx(int(found[2]) * 100 / 1000, abs=1)
    assert 50 <= int(found[2]) < 1000
    assert "per epoch: 1 epoch tried" in fit("--dry_run", "--trainer.max_epochs=1").out


def test_a_trial_stops_where_epochs_are_long_and_leaves_out_the_first(monkeypatch):
    trainer = SimpleNamespace(num_training_batches=7, accumulate_grad_batches=2, should_stop=False)
    trial, clock = Trial(), iter([100.0, 110.0, 112.0, 115.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    trial.on_train_start(trainer, None)
    stops = []
    for _ in range(3):
        trial.on_train_epoch_end(trainer, None)
        stops.append(trainer.should_stop)
    assert stops == [False, False, True]
    assert (trial.num_epochs, trial.epoch_seconds, trial.num_steps) == (2, 2.5, 4)


def test_parts_are_counted_as_steps(fit):
    parts = ["--data.batching=partitions", "--data.num_partitions=6", "--data.partitioner=random"]
    outcome = fit("--dry_run", *parts, "--data.partitions_per_batch=2")
    assert "3 epochs, optimizer steps in each: 3" in outcome.out, outcome


def test_a_dry_run_speaks_though_nothing_else_does(fit):
    assert "than float32" in fit("--dry_run", "--quiet").out


def test_states_are_counted(batch):
    model = NodeClassifier(bits="float32", hidden_features=5, num_features=6, num_classes=3)
    plan = plan_training(model, batch)
    weights = 5 * 6 + 5 + 3 * 5 + 3
    buffers = sum(one.numel() * one.element_size() for one in model.network.buffers())
    assert plan.state_bytes == 4 * 4 * weights + buffers
    # x, labels and numbers of the nodes, masks, and the adjacency.
    adjacency = 8 * (51 + batch.adjacency.num_edges) + 4 * 50
    assert plan.graph_bytes == 4 * 50 * 6 + 2 * 8 * 50 + 3 * 50 + adjacency
    assert plan.peak_bytes == plan.state_bytes + plan.activation_bytes + plan.graph_bytes


def test_activations_grow_by_what_a_step_keeps(batch):
    def kept(num_steps: int) -> int:
        model = NodeClassifier(bits="int2", hidden_features=4, num_steps=num_steps)
        return plan_training(model, batch).activation_bytes

    few, more, most = kept(4), kept(8), kept(16)
    assert few < more < most
    assert most - more == pytest.approx(2 * (more - few), rel=0.25)


def test_the_model_is_left_alone(batch):
    model = NodeClassifier(bits="int2", hidden_features=4, num_features=6, num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plan_training(model, batch)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_quiet_prints_nothing_and_trains_the_same(fit):
    quiet = fit("--quiet", "--run_dir=one")
    assert quiet == (0, "", "")
    assert "test accuracy" in fit("--run_dir=two").out
    assert_same_weights("one/checkpoints/last.ckpt", "two/checkpoints/last.ckpt")
    assert load("one/checkpoints/best.ckpt")["epoch"] == load("two/checkpoints/best.ckpt")["epoch"]


def test_quiet_still_prints_errors(fit):
    outcome = fit("--quiet", "--model.num_steps=0")
    assert (outcome.code, outcome.out) == (2, "")
    assert "num_steps must be at least 1" in outcome.err


def test_neither_is_kept_for_the_next_run(fit, qgnn):
    assert fit("--quiet", "--run_dir=one").code == 0
    outcome = qgnn("fit", "-c", "one/config.yaml", "--run_dir=again", "--observers=false")
    assert outcome.code == 0, outcome.err
    assert "test accuracy" in outcome.out
