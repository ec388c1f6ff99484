"""What TensorBoard is given beside scalars."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import torch
from small_runs import Train, read, small_graph
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from qgnn_lightning.callbacks import (
    ConstraintMonitor,
    Figures,
    Histograms,
    Oversmoothing,
    QuantizationError,
    TensorBoardLayout,
)
from qgnn_lightning.callbacks._histograms import collect_distributions
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier


def log_dir(trainer: Any) -> Path:
    return Path(trainer.logger.log_dir)


def layout_of(trainer: Any) -> dict[str, dict[str, Any]]:
    (event,) = read(log_dir(trainer)).Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    return {
        category.title: {chart.title: chart for chart in category.chart}
        for category in layout.category
    }


def plugin_data(trainer: Any, tag: str) -> HParamsPluginData:
    content = read(log_dir(trainer)).SummaryMetadata(tag).plugin_data.content
    return HParamsPluginData.FromString(content)


def test_every_chart_of_the_layout_has_data(train: Train) -> None:
    import re

    trainer, _ = train(
        Oversmoothing(), QuantizationError(), ConstraintMonitor(), TensorBoardLayout()
    )
    tags = read(log_dir(trainer)).Tags()["scalars"]
    layout = layout_of(trainer)
    assert list(layout) == [
        "Training",
        "Oversmoothing",
        "Error after the last step",
        "Quantization error",
        "Constraint",
    ]
    for charts in layout.values():
        for title, chart in charts.items():
            for pattern in chart.multiline.tag:
                assert any(re.match(pattern, tag) for tag in tags), (title, pattern)


def test_margin_chart_reaches_from_the_error_up_to_the_sharp_bound(train: Train) -> None:
    trainer, _ = train(QuantizationError(), TensorBoardLayout())
    margins = [
        chart.margin.series[0]
        for chart in layout_of(trainer)["Error after the last step"].values()
        if chart.margin.series
    ]
    assert len(margins) == 1
    events = read(log_dir(trainer))
    value, lower, upper = (
        events.Scalars(tag)[-1].value
        for tag in (margins[0].value, margins[0].lower, margins[0].upper)
    )
    assert margins[0].value == "quantization_error/sharp/step_004"
    assert margins[0].lower == "quantization_error/measured/step_004"
    assert 0 < lower < upper == value


@pytest.mark.parametrize(
    ("options", "missing"),
    [({"bits": "float32"}, "Quantization error"), ({"propagation": "unrolled_multiplier"}, None)],
)
def test_layout_leaves_out_what_is_not_recorded(
    train: Train, options: dict[str, str], missing: str | None
) -> None:
    trainer, _ = train(TensorBoardLayout(), epochs=1, **options)
    layout = layout_of(trainer)
    assert missing not in layout
    assert "Error after the last step" not in layout


def test_table_of_runs_has_the_hyperparameters_and_the_metrics(train: Train) -> None:
    trainer, _ = train(TensorBoardLayout(), epochs=1, budget=0.25, stage_bits={"input": 8})
    experiment = plugin_data(trainer, "_hparams_/experiment").experiment
    first = {info.name for info in experiment.hparam_infos if info.differs}
    assert first == {"data", "bits", "messages", "num_steps", "seed"}
    assert len(experiment.hparam_infos) == 17
    metrics = {info.name.tag for info in experiment.metric_infos}
    assert metrics == {"best/val_accuracy", "test/accuracy", "test/loss"}
    hparams = plugin_data(trainer, "_hparams_/session_start_info").session_start_info.hparams
    assert hparams["budget"].number_value == 0.25
    assert hparams["bits"].string_value == "int2, input 8"
    assert hparams["messages"].string_value == "delta_sigma"
    assert hparams["data"].string_value == "graph in memory"
    assert hparams["seed"].number_value == 0
    assert "download" not in hparams
    assert plugin_data(trainer, "_hparams_/session_end_info").session_end_info.status == 1


def test_no_made_up_value_enters_the_curves_and_a_test_fills_its_column(train: Train) -> None:
    trainer, model = train(TensorBoardLayout(), epochs=2)
    events = read(log_dir(trainer))
    assert "test/accuracy" not in events.Tags()["scalars"]
    assert len(events.Scalars("val/accuracy")) == 2
    graph = GraphDataModule.from_graph(small_graph())
    (tested,) = trainer.test(model, graph, verbose=False)
    trainer.logger.finalize("success")
    (event,) = read(log_dir(trainer)).Scalars("test/accuracy")
    assert event.value == pytest.approx(tested["test/accuracy"])


def test_histograms_of_weights_and_scales(train: Train) -> None:
    trainer, _ = train(Histograms(every_n_epochs=2), epochs=4)
    events = read(log_dir(trainer))
    names = events.Tags()["histograms"]
    assert "weights/encoder.weight" in names
    assert "scales/propagation.messages.quantizers" in names
    assert not [name for name in names if name.endswith("alpha")]
    found = events.Histograms("weights/encoder.weight")
    assert [event.step for event in found] == [0, 2, 3]
    assert found[0].histogram_value.num == 8 * 6


def test_histograms_skip_what_is_not_finite() -> None:
    model = NodeClassifier(num_features=6, num_classes=3, hidden_features=8, num_steps=4)
    graph = small_graph()
    model.network(graph.x, graph.adjacency)
    with torch.no_grad():
        model.network.encoder.weight.fill_(torch.nan)
        model.network.classifier.weight[0].fill_(torch.inf)
    found = collect_distributions(model.network)
    assert "weights/encoder.weight" not in found
    assert found["weights/classifier.weight"].numel() == 2 * 8
    assert all(bool(values.isfinite().all()) for values in found.values())


def test_histograms_skip_quantizers_without_a_range() -> None:
    model = NodeClassifier(num_features=6, num_classes=3, num_steps=4)
    assert not [name for name in collect_distributions(model.network) if "scales" in name]


def test_figures_are_saved_whole_and_shown(train: Train) -> None:
    trainer, _ = train(Figures(), epochs=2)
    folder = log_dir(trainer) / "figures"
    names = ["quantization_error", "smoothness"]
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.png" for name in names]
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        pixels = matplotlib.image.imread(folder / f"{name}.png")
        assert 0.01 < (pixels[..., :3] < 0.99).any(-1).mean() < 0.5  # neither empty nor black
        (image,) = read(log_dir(trainer)).Images(f"figures/{name}")
        assert (image.height, image.width) == pixels.shape[:2]
        assert image.step == 1


def test_figures_without_a_bound_and_without_positive_numbers(train: Train) -> None:
    graph = small_graph()
    trainer, _ = train(Figures(), epochs=1, bits="float32", graph=graph)
    assert [path.name for path in (log_dir(trainer) / "figures").iterdir()] == ["smoothness.png"]


def test_figures_of_zeros_can_be_drawn(tmp_path: Path) -> None:
    from qgnn_lightning.callbacks._drawing import draw_error, draw_smoothness, save
    from qgnn_lightning.callbacks._oversmoothing import Smoothness
    from qgnn_lightning.nn import ErrorBound

    zero = torch.zeros(3)
    save(draw_smoothness(Smoothness(zero, -zero, zero), "zeros"), tmp_path / "a.png")
    save(draw_error(ErrorBound(*[zero] * 5), "zeros"), tmp_path / "b.png")


def test_without_matplotlib_nothing_is_drawn_and_one_line_says_so(
    train: Train, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "qgnn_lightning.callbacks._figures.find_spec",
        lambda name: None if name == "matplotlib" else real(name),
    )
    with caplog.at_level("INFO"):
        trainer, _ = train(Figures(), epochs=1)
    assert not (log_dir(trainer) / "figures").exists()
    assert [record.message for record in caplog.records if "matplotlib" in record.message] == [
        "Figures: matplotlib is not installed (extra 'viz'), nothing is drawn"
    ]
