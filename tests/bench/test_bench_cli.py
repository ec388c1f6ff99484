from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import torch

from qgnn_lightning import kernels
from qgnn_lightning.bench import Benchmark, Candidate, Outcome, random_graph, report
from qgnn_lightning.bench._measure import FirstCall, Timing
from qgnn_lightning.cli import _bench as bench_module
from qgnn_lightning.cli._bench import PackedDiffersError, run_bench
from qgnn_lightning.cli._bench_options import parse_options
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.deploy import freeze, save_packed
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import NetworkConfig, PropagationConfig, QuantizedGNN
from qgnn_lightning.provenance import num_cpus
from qgnn_lightning.quantization import Precision

SMALL = ["--num_nodes=60", "--num_edges=150", "--threads=1", "--repeats=2"]
PROPAGATE = ["propagate", *SMALL, "--num_features=6", "--num_steps=3"]
MODEL = ["model", *SMALL]
BLOCKS = """data:
  source: block_model
  split: random
  num_train_per_class: 2
  num_val: 10
  num_test: 10
  num_nodes: 60
  num_edges: 150
"""


def test_propagate_prints_a_table_and_writes_its_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("qgnn_lightning.bench._progress._SILENT_SECONDS", 1e9)
    files = [f"--json={tmp_path / 'out.json'}", f"--plot={tmp_path / 'out.svg'}"]
    run_bench([*PROPAGATE, *files])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "1 thread; packed kernels: " in printed.out
    assert "packed = fake-quantized, bit for bit: 6 of 6 (max deviation 0)" in printed.out
    assert max(len(line) for line in printed.out.splitlines() if "written" not in line) <= 100
    table, *_, legend = printed.out.split("\n\n")[1:]
    for line in table.splitlines()[1:]:
        name = re.sub("int[248]", "int?", line.split()[0])
        assert re.search(rf"^(.*, )?{re.escape(name)}(, .*)?: ", legend, re.MULTILINE), name
    stored = json.loads((tmp_path / "out.json").read_text())
    assert stored["command"].startswith("qgnn bench propagate --num_nodes=60")
    assert stored["environment"]["threads"] == 1
    assert stored["settings"]["num_edges"] == 150
    assert len(stored["candidates"]) == 18
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.svg"]


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ([], (60_000, 410_000, 64, True)),
        (["--repeats=3", "--num_steps=4"], (60_000, 410_000, 64, True)),
        (["--num_features=64"], (169_343, 1_157_799, 64, False)),
        (["--num_nodes=9", "--num_edges=8"], (9, 8, 128, False)),
        (["--candidates", "fp32-pyg"], (169_343, 1_157_799, 128, False)),
    ],
)
def test_only_what_is_asked_for_without_a_size_is_small(options, sizes):
    found = parse_options(["propagate", *options])
    assert (found.num_nodes, found.num_edges, found.num_features, found.quick) == sizes
    assert "fp32-sum" in (found.candidates or []) or not found.quick
    model = parse_options(["model"])
    assert (model.num_nodes, model.num_features, model.quick) == (169_343, 128, False)


def test_the_help_has_the_defaults_that_are_taken(capsys):
    with pytest.raises(SystemExit):
        parse_options(["propagate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name, first, other in (("nodes", 60_000, 169_343), ("edges", 410_000, 1_157_799)):
        assert re.search(
            rf"--num_{name} N [^-]*default {first} in the first look, else {other}", text
        )
    assert "--num_features N default 64 in the first look, else 128" in text
    with pytest.raises(SystemExit):
        parse_options(["model", "--help"])
    assert "first look" not in capsys.readouterr().out


@pytest.mark.parametrize(("packed_seconds", "said"), [(2.0, True), (0.5, False)])
def test_what_to_expect_of_small_graphs_is_said_where_packed_is_slower(packed_seconds, said):
    def outcome(name, family, seconds):
        candidate = Candidate(name, family, f"what {name} does", lambda: None, 8)
        return Outcome(candidate, FirstCall(), Timing((seconds,)), {})

    settings = {"graph": "uniform", "num_features": 4, "num_steps": 2}
    outcomes = [outcome("fp32-bag", "fp32", 1.0), outcome("int2-delta", "packed", packed_seconds)]
    text = report(Benchmark("propagate", settings, 3, 7, outcomes))
    assert ("packed below 1x: expected on small graphs" in text) == said


def test_a_first_look_says_so(capsys, monkeypatch):
    small = {"num_nodes": 60, "num_edges": 150, "num_features": 6, "candidates": ["int2-*"]}
    monkeypatch.setattr("qgnn_lightning.cli._bench_options._QUICK", small)
    run_bench(["propagate", "--threads=1", "--repeats=1"])
    printed = capsys.readouterr().out
    assert "a first look: name --num_nodes and --num_edges; larger graphs gain more" in printed
    assert "bit for bit: 2 of 2" in printed


def test_model_on_the_graph_of_a_data_set(tmp_path, capsys):
    data = BLOCKS + "  num_classes: 3\n  num_features: 8\n"
    (tmp_path / "data.yaml").write_text(data)
    options = ["--hidden_features=9", "--num_classes=3", "--bits", "2"]
    run_bench(["model", "--threads=1", f"--data={tmp_path / 'data.yaml'}", *options])
    printed = capsys.readouterr().out
    assert "model: data graph of 60 nodes" in printed
    assert "bit for bit: 1 of 1 (max deviation 0)" in printed


def test_data_that_do_not_fit_the_network(tmp_path, network):
    (tmp_path / "data.yaml").write_text(BLOCKS)
    save_packed(freeze(network), tmp_path / "model.safetensors")
    files = [f"--data={tmp_path / 'data.yaml'}", f"--packed={tmp_path / 'model.safetensors'}"]
    with pytest.raises(UsageError, match=r"--data has .* features, the network takes"):
        run_bench(["model", "--threads=1", *files])


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    run_bench([*PROPAGATE, "--candidates", "fp32-csr"])
    assert torch.get_num_threads() == before


def test_model_with_random_weights(capsys):
    run_bench([*MODEL, "--num_features=8", "--hidden_features=9", "--num_classes=3"])
    printed = capsys.readouterr().out
    assert "bit for bit: 3 of 3 (max deviation 0)" in printed
    assert "part, median ms" in printed
    assert "random weights" in printed


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    config = NetworkConfig(
        hidden_features=6,
        precision=Precision.operands(2),
        propagation=PropagationConfig("personalized", num_steps=3),
    )
    network = QuantizedGNN(5, 3, config)
    with torch.no_grad():
        network.train()(torch.randn(60, 5), random_graph("uniform", 60, 150))
    return network.eval()


def test_model_from_a_packed_file(network, tmp_path, capsys):
    path = tmp_path / "network.safetensors"
    save_packed(freeze(network), path)
    run_bench([*MODEL, f"--packed={path}"])
    printed = capsys.readouterr().out
    assert "5 features, 3 steps" in printed
    assert "bit for bit: 1 of 1 (max deviation 0)" in printed
    assert "random weights" not in printed


def test_model_from_a_checkpoint(network, tmp_path, capsys):
    module = NodeClassifier(
        bits="int2",
        hidden_features=6,
        propagation="personalized",
        num_steps=3,
        num_features=5,
        num_classes=3,
    )
    module.network.load_state_dict(network.state_dict())
    path = tmp_path / "best.ckpt"
    progress = {"epoch": 0, "global_step": 0, "pytorch-lightning_version": "2.6.0"}
    parts = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(progress | parts, path)
    run_bench([*MODEL, f"--ckpt={path}"])
    assert "bit for bit: 1 of 1 (max deviation 0)" in capsys.readouterr().out


WRONG = {
    "no mode": ([], "required: propagate|model"),
    "unknown mode": (["propagat"], "propagat"),
    "unknown option": (
        [*PROPAGATE, "--nun_steps=3"],
        r"unknown option .* did you mean --num_steps",
    ),
    "shortened option": ([*PROPAGATE, "--rep=3"], "unknown option '--rep=3'"),
    "features": (["propagate", "--num_features=0"], "--num_features: must be at least 1, got 0"),
    "no number": (["propagate", "--num_steps=x"], "--num_steps: must be a whole number, got 'x'"),
    "restart": (["propagate", "--restart=2"], r"--restart: must be in \(0, 1\), got 2"),
    "seed": (["propagate", f"--seed={2**64}"], f"--seed: must be at most {2**64 - 1}, got"),
    "threads": (["propagate", "--threads=9999"], f"--threads must be at most {num_cpus()}, "),
    "edges": (["propagate", "--num_nodes=5", "--num_edges=9"], "--num_edges must be in 1..5"),
    "candidate": ([*PROPAGATE, "--candidates", "int3"], "--candidates must match one of"),
    "plot": ([*PROPAGATE, "--plot=a.gif"], "--plot must end in .png, .svg, .pdf, got a.gif"),
    "folder": ([*PROPAGATE, "--json=no/such/a.json"], "--json: there is no folder no/such"),
    "no checkpoint": ([*MODEL, "--ckpt=none.ckpt"], "--ckpt must be a file, there is none at"),
    "no packed": ([*MODEL, "--packed=none"], "--packed must be a file, there is none at none"),
    "two networks": ([*MODEL, "--packed=a", "--ckpt=b"], "not allowed with"),
    "bits": ([*MODEL, "--bits=3"], "--bits: invalid choice: 3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_one_clear_line(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = WRONG[case]
    message = message.replace("|", r"\|") if case == "no mode" else message
    with pytest.raises(UsageError, match=message) as caught:
        run_bench(arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    kernels.why_unavailable("cpu") is not None, reason="the kernels are not compiled"
)
def test_an_unknown_instruction_set_is_said_before_anything_runs(monkeypatch, capsys):
    monkeypatch.setenv("QGNN_KERNEL_ISA", "sse")
    with pytest.raises(UsageError, match=r"QGNN_KERNEL_ISA must be one of .* got 'sse'"):
        run_bench(PROPAGATE)
    assert capsys.readouterr() == ("", "")


def test_a_stored_network_is_not_reshaped(tmp_path):
    path = tmp_path / "network"
    path.touch()
    with pytest.raises(UsageError, match="--num_steps cannot be chosen with --packed"):
        run_bench([*MODEL, f"--packed={path}", "--num_steps=2"])


def test_data_bring_their_own_sizes():
    with pytest.raises(UsageError, match="--num_nodes cannot be chosen with --data"):
        run_bench(["model", "--data=cora.yaml", "--num_nodes=5"])


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "network"
    path.write_bytes(b"nothing of ours")
    with pytest.raises(ValueError, match="is not a packed network"):
        run_bench([*MODEL, f"--packed={path}"])
    with pytest.raises(UsageError, match=r"--ckpt .* is not a"):
        run_bench([*MODEL, f"--ckpt={path}"])


def test_a_chart_needs_matplotlib(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else find(name)
    )
    with pytest.raises(UsageError, match="--plot needs matplotlib, which is not installed"):
        run_bench([*PROPAGATE, f"--plot={tmp_path / 'a.png'}"])


def test_what_does_not_fit_into_memory_is_left_out_and_said(monkeypatch, capsys):
    monkeypatch.setattr(bench_module, "memory_bytes", lambda: 1000)
    run_bench([*PROPAGATE, "--candidates", "fp32-*"])
    printed = capsys.readouterr().out
    assert "fp32-pyg left out: it needs about" in printed
    assert "fp32-csr" in printed


def test_a_packed_result_that_differs_is_an_error(monkeypatch, capsys):
    original = bench_module.PropagationTask._packed

    def wrong(task, num_bits, form):
        made = original(task, num_bits, form)
        object.__setattr__(made, "twin", lambda: made.run() + 1)
        return made

    monkeypatch.setattr(bench_module.PropagationTask, "_packed", wrong)
    with pytest.raises(PackedDiffersError, match=r"differ .*: int2-delta"):
        run_bench([*PROPAGATE, "--candidates", "int2-delta"])
    assert "bit for bit: 0 of 1 (max deviation 1)" in capsys.readouterr().out


def study(name):
    path = Path(__file__).parents[2] / "benchmarks" / "speed" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scaling():
    return study("scaling")


def test_the_latency_study_writes_its_file(data_root, tmp_path, monkeypatch, capsys):
    latency, output = study("latency"), tmp_path / "latency.json"
    monkeypatch.setattr(latency, "CANDIDATES", ("fp32-csr", "packed"))
    options = ["--graphs=Cora", "--threads=1", "--calls=10", "--repeats=1"]
    latency.main([*options, f"--root={data_root / 'planetoid'}", f"--output={output}"])
    (found,) = json.loads(output.read_text())["latencies"]
    assert (found["graph"], found["threads"]) == ("Cora", 1)
    assert all(0 < found["seconds"][name] < 10 for name in ("fp32-csr", "packed"))
    assert re.fullmatch(
        r"Cora, 1 thread\(s\), ms: fp32-csr [\d.]+, packed [\d.]+: [\d.]+x\n",
        capsys.readouterr().out,
    )


def test_the_scaling_study_writes_its_files(scaling, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    options = ["--num_features=8", "--num_steps=2", "--repeats=1", "--threads=1"]
    options += ["--bandwidth_floats=10000", "--max_gigabytes=0.1", f"--output={tmp_path}"]
    scaling.main(["--sizes", "1000", "3000", "900000000", *options])
    torch.set_num_threads(1)
    results = json.loads((tmp_path / "scaling.json").read_text())
    assert results["left_out"] == [900_000_000]
    assert [round(size["num_nonzeros"], -2) for size in results["sizes"]] == [1000, 3000]
    assert all(set(size["candidates"]) == set(scaling.CANDIDATES) for size in results["sizes"])
    assert b"<svg" in (tmp_path / "scaling.svg").read_bytes()
    assert "left out 900,000,000" in capsys.readouterr().err


def test_the_model_of_moved_bytes(scaling):
    moved = {name: scaling.moved_bytes(name, 100, 1000, 128) for name in scaling.CANDIDATES}
    for bytes_ in moved.values():
        assert bytes_.streamed < bytes_.gathered
    direct = [moved[name].gathered for name in ("fp32-sum", "int8-direct", "int4-direct")]
    assert direct == sorted(direct, reverse=True)
    index = 1000 * 4 + 100 * 8
    assert moved["fp32-sum"].gathered == index + 1000 * 512 + 100 * 1024
    assert moved["int2-direct"].gathered == index + 1000 * 32 + 100 * (256 + 32)
