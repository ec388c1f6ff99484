"""What is written equals a direct computation."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from small_runs import Train, read, small_graph

from qgnn_lightning.callbacks import (
    ConstraintMonitor,
    Figures,
    Oversmoothing,
    QuantizationError,
    measure_all,
)
from qgnn_lightning.callbacks._observer import Subject
from qgnn_lightning.callbacks._quantization_error import measure_messages
from qgnn_lightning.callbacks._series import Series, shown_steps, step_tag
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import error_bound, exact_steps


def last_scalars(trainer: object) -> dict[str, float]:
    events = read(trainer.logger.log_dir)  # type: ignore[attr-defined]
    return {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]}


@pytest.fixture
def trained(train: Train) -> tuple[dict[str, float], NodeClassifier]:
    trainer, model = train(
        Oversmoothing(),
        QuantizationError(),
        ConstraintMonitor(),
        epochs=4,
        budget=1e-4,
        budget_unit="per_edge",
    )
    return last_scalars(trainer), model.eval()


def dense_laplacian() -> tuple[torch.Tensor, torch.Tensor]:
    adjacency = small_graph().adjacency.matrix(torch.float64).to_dense()
    degree = adjacency.sum(1)
    normalized = adjacency / (degree[:, None] * degree).sqrt()
    return torch.eye(len(degree), dtype=torch.float64) - normalized, adjacency


@torch.no_grad()
def representations(model: NodeClassifier) -> list[torch.Tensor]:
    graph = small_graph()
    start = model.network.propagation_input(graph.x)
    steps = model.network.propagation.steps(start, graph.adjacency)
    root = graph.adjacency.degree.sqrt()[:, None]
    return [start.double()] + [(step.after.representation() * root).double() for step in steps]


def test_smoothness(trained: tuple[dict[str, float], NodeClassifier]) -> None:
    scalars, model = trained
    laplacian, adjacency = dense_laplacian()
    for step, h in enumerate(representations(model)):
        distance = torch.cdist(h, h).square()
        cosine = torch.nn.functional.cosine_similarity(h[:, None], h[None], dim=-1)
        neighbours = adjacency - torch.eye(len(h), dtype=torch.float64)
        mean = ((1 - cosine) * neighbours).sum(1) / neighbours.sum(1)
        expected = {
            "dirichlet_energy/symmetric": (h.t() @ laplacian @ h).trace(),
            "dirichlet_energy/mean_square": (adjacency * distance).sum() / len(h),
            "mean_average_distance": mean.mean(),
        }
        for tag, value in expected.items():
            # Differences of float32 numbers of the size of the squared norm.
            tolerance = 1e-5 * max(1.0, float(h.square().sum()))
            assert scalars[f"{tag}/step_{step:03d}"] == pytest.approx(float(value), abs=tolerance)
    assert "mean_average_distance/step_005" not in scalars


def test_errors_and_bounds(trained: tuple[dict[str, float], NodeClassifier]) -> None:
    scalars, model = trained
    graph = small_graph()
    with torch.no_grad():
        start = model.network.propagation_input(graph.x)
    bound = error_bound(model.network.propagation, start, graph.adjacency)
    for name in ("measured", "sharp", "a_posteriori", "a_priori"):
        found = [scalars[f"quantization_error/{name}/step_{k:03d}"] for k in range(1, 5)]
        assert found == pytest.approx(getattr(bound, name).tolist(), rel=1e-6)
    assert "quantization_error/sharp/step_000" not in scalars
    recurrence = model.network.propagation.recurrence
    strengths = model.network.propagation.correction_strengths()
    exact = exact_steps(recurrence, strengths, start, graph.adjacency)
    norms = torch.stack([h.norm() for h in exact])
    for name, error in (("relative", bound.measured), ("relative_sharp", bound.sharp)):
        found = [scalars[f"quantization_error/{name}/step_{k:03d}"] for k in range(1, 5)]
        assert found == pytest.approx((error / norms).tolist(), rel=1e-6)


def test_measures_of_a_network_without_a_training(
    trained: tuple[dict[str, float], NodeClassifier],
) -> None:
    """What goes into results.json is what is logged, for all steps."""
    scalars, model = trained
    subject = Subject(model.network, small_graph())
    observers = [Oversmoothing(), QuantizationError(), ConstraintMonitor(), Figures()]
    with torch.no_grad():
        found = measure_all(observers, subject)
    steps = {
        step_tag(tag, one["first"] + i): value
        for tag, one in found.items()
        for i, value in enumerate(one["values"])
    }
    measured = {tag: one for tag, one in scalars.items() if "/step_" in tag}
    assert measured.keys() <= steps.keys()
    assert measured == pytest.approx({tag: steps[tag] for tag in measured}, rel=1e-5, abs=1e-6)


@torch.no_grad()
def test_messages(trained: tuple[dict[str, float], NodeClassifier]) -> None:
    scalars, model = trained
    graph = small_graph()
    propagation = model.network.propagation
    steps = propagation.steps(model.network.propagation_input(graph.x), graph.adjacency)
    for number, (quantizer, step) in enumerate(
        zip(propagation.messages.quantizers, steps, strict=True), start=1
    ):
        levels = quantizer.grid().levels.flatten()  # type: ignore[operator]
        distance = levels[1] - levels[0]
        message, sent = step.message, step.sent.value
        low, high = levels.min() - distance * 0.501, levels.max() + distance * 0.501
        clipped = ((message < low) | (message > high)).double().mean()
        ratio = 20 * math.log10(float(message.norm() / (message - sent).norm()))
        assert scalars[step_tag("message/clipped_fraction", number)] == pytest.approx(
            float(clipped), abs=1e-6
        )
        assert scalars[step_tag("message/signal_to_noise_ratio", number)] == pytest.approx(
            ratio, abs=1e-3
        )
        assert scalars[step_tag("message/scale", number)] == pytest.approx(
            float(distance), rel=1e-5
        )


def test_constraint(trained: tuple[dict[str, float], NodeClassifier]) -> None:
    scalars, model = trained
    laplacian, _ = dense_laplacian()
    hs = representations(model)
    budget = 1e-4 * small_graph().adjacency.num_edges
    assert scalars["constraint/budget"] == pytest.approx(budget)
    multipliers = model.network.propagation.multipliers.value.tolist()  # type: ignore[union-attr]
    for step in range(1, 5):
        change = hs[step] - hs[step - 1]
        energy = float((change.t() @ laplacian @ change).trace())
        found = scalars[f"constraint/energy_of_change/step_{step:03d}"]
        assert found == pytest.approx(energy, rel=1e-3, abs=1e-5)
        violation = scalars[f"constraint/violation/step_{step:03d}"]
        assert violation == pytest.approx(found / budget - 1, rel=1e-5, abs=1e-6)
        multiplier = scalars[f"constraint/multiplier/step_{step:03d}"]
        assert multiplier == pytest.approx(multipliers[step - 1])
    assert max(multipliers) > 0


def test_nothing_is_clipped_because_of_a_skewed_code() -> None:
    graph = small_graph()
    model = NodeClassifier(
        quantizer="skewness_truncation", num_features=6, num_classes=3, messages="direct"
    )
    with torch.no_grad():
        model.network(graph.x, graph.adjacency)
        model.eval()
        for quantizer in model.network.propagation.messages.quantizers:
            quantizer.skew.fill_(6)
            quantizer.fraction.alpha.fill_(1.3)  # reaches past all the data
        quality = measure_messages(Subject(model.network, graph))
    # Only what the truncation can no longer reach: codes above 255 after the shift.
    assert quality.clipped_fraction.max() < 0.05


@pytest.mark.parametrize(
    "options",
    [
        {"propagation": "unrolled_multiplier"},
        {"propagation": "personalized"},
        {"propagation": "powers"},
        {"bits": "int2-paper", "messages": "direct"},
        {"bits": "float32"},
    ],
)
def test_only_what_exists_is_written(train: Train, options: dict[str, str]) -> None:
    trainer, _ = train(Oversmoothing(), QuantizationError(), ConstraintMonitor(), **options)
    tags = last_scalars(trainer)
    quantized = options.get("bits") != "float32"
    bounded = quantized and options.get("propagation") in ("personalized", "powers")
    assert "dirichlet_energy/symmetric/step_004" in tags
    assert "constraint/energy_of_change/step_004" in tags
    assert ("message/scale/step_004" in tags) == quantized
    assert ("quantization_error/sharp/step_004" in tags) == bounded
    assert ("constraint/multiplier/step_004" in tags) == ("propagation" not in options)


def test_says_once_that_there_is_no_bound(train: Train, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        train(QuantizationError(every_n_epochs=1), propagation="unrolled_multiplier")
    messages = [
        record.message for record in caplog.records if "QuantizationError" in record.message
    ]
    assert len(messages) == 1
    assert "no error bound is known for UnrolledMultiplierPropagation" in messages[0]


def test_directed_graph_has_neither_energy_nor_bound(train: Train) -> None:
    graph = small_graph(symmetric=False)
    trainer, _ = train(Oversmoothing(), QuantizationError(), Figures(), graph=graph)
    tags = last_scalars(trainer)
    assert "mean_average_distance/step_004" in tags
    assert "message/scale/step_004" in tags
    assert not [tag for tag in tags if tag.startswith(("dirichlet", "quantization_error"))]


def test_points_lie_where_lightning_puts_its_own(train: Train) -> None:
    trainer, _ = train(Oversmoothing(every_n_epochs=1), epochs=3)
    events = read(trainer.logger.log_dir)  # type: ignore[union-attr, arg-type]
    ours = [event.step for event in events.Scalars("mean_average_distance/step_000")]
    assert ours == [event.step for event in events.Scalars("val/loss")] == [0, 1, 2]


def test_many_steps_are_thinned_for_the_dashboard_only(train: Train, tmp_path: Path) -> None:
    logger = TensorBoardLogger(str(tmp_path), name="deep", default_hp_metric=False)
    observers = [Oversmoothing(), QuantizationError(), ConstraintMonitor()]
    train(*observers, epochs=1, num_steps=64, logger=logger)
    tags = read(logger.log_dir).Tags()["scalars"]
    measures = [tag for tag in tags if tag.startswith("dirichlet_energy/symmetric/")]
    assert measures == [f"dirichlet_energy/symmetric/step_{k:03d}" for k in range(0, 65, 4)]
    assert len(tags) <= 15 * 17 + 1 + 5
    text = (Path(logger.log_dir) / "diagnostics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    found = {line["tag"]: line for line in lines}
    assert len(found) == len(lines) == 15
    assert len(found["dirichlet_energy/symmetric"]["values"]) == 65
    assert found["dirichlet_energy/symmetric"]["first"] == 0
    assert len(found["quantization_error/sharp"]["values"]) == 64
    assert found["quantization_error/sharp"]["step"] == 0


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("last", [1, 2, 10, 15, 16, 17, 31, 33, 64, 100, 128, 999])
def test_shown_steps(first: int, last: int) -> None:
    shown = shown_steps(first, last)
    assert shown[0] == first
    assert shown[-1] == last
    assert len(shown) == len(set(shown)) <= 17
    assert last > 16 or shown == list(range(first, last + 1))
    inner = shown[1:-1]
    assert len({b - a for a, b in pairwise(inner)}) <= 1


def test_what_is_not_finite_is_left_out_and_is_null_in_the_file(
    train: Train, tmp_path: Path
) -> None:
    series = Series.of("a", torch.tensor([1.0, math.inf, math.nan]))
    assert series.scalars() == {"a/step_001": 1.0}
