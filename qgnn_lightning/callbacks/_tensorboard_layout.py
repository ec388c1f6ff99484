"""What TensorBoard shows beside single curves: combined charts, and the table of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.tensorboard.summary import hparams

from qgnn_lightning.callbacks._quantization_error import (
    BOUND_NAMES,
    has_bound,
    sends_full_precision,
)
from qgnn_lightning.callbacks._run_log import tensorboard_writers
from qgnn_lightning.callbacks._series import step_tag
from qgnn_lightning.nn import (
    DeltaSigmaMessages,
    PropagatingNetwork,
    Propagation,
    SmoothnessAwarePropagation,
)

#: What runs are compared by, besides what they mostly differ in; the rest is in ``config.yaml``.
_COMPARED = (
    "architecture",
    "propagation",
    "quantizer",
    "weight_quantizer",
    "hidden_features",
    "dropout",
    "consistency",
    "learning_rate",
    "weight_decay",
    "smoothing",
    "step_size",
    "budget",
)
#: Written once, after the training: the curve ``val/accuracy`` ends with the last epoch.
BEST_ACCURACY = "best/val_accuracy"
#: Its last columns, all of the best epoch.
METRICS = (BEST_ACCURACY, "test/accuracy", "test/loss")

Chart = list[Any]
Layout = dict[str, dict[str, Chart]]


def make_layout(network: nn.Module) -> Layout:
    """Charts by category, for what the callbacks record of a network.

    Args:
        network: The network that is observed.
    """
    layout = {
        "Training": {
            "Accuracy": _lines("train/accuracy", "val/accuracy"),
            "Loss": _lines("train/loss", "val/loss"),
        },
        "Oversmoothing": {
            "Dirichlet energy tr(HᵀLH), by step": _steps("dirichlet_energy/symmetric"),
            "Dirichlet energy per node, by step": _steps("dirichlet_energy/mean_square"),
            "Mean average distance, by step": _steps("mean_average_distance"),
        },
    }
    if isinstance(network, PropagatingNetwork):
        layout |= {
            "Error after the last step": _last_error_charts(network.propagation),
            "Quantization error": _error_charts(network.propagation),
            "Constraint": _constraint_charts(network.propagation),
        }
    return {category: charts for category, charts in layout.items() if charts}


def _last_error_charts(propagation: Propagation) -> dict[str, Chart]:
    if not has_bound(propagation):
        return {}
    last = {
        name: step_tag(f"quantization_error/{name}", propagation.num_steps) for name in BOUND_NAMES
    }
    # TensorBoard fits the chart to the line and drops a band that leaves it: the line is the top.
    margin = [last["sharp"], last["measured"], last["sharp"]]
    after = f"step {propagation.num_steps}"
    return {
        f"measured error up to sharp bound, {after}": ["Margin", margin],
        f"measured error and all bounds, {after}": _lines(*last.values()),
    }


def _error_charts(propagation: Propagation) -> dict[str, Chart]:
    if sends_full_precision(propagation):
        return {}
    errors = {
        "Measured error, by step": _steps("quantization_error/measured"),
        "Sharp bound, by step": _steps("quantization_error/sharp"),
    }
    return (errors if has_bound(propagation) else {}) | {
        "Signal-to-noise ratio of the message in dB, by step": _steps(
            "message/signal_to_noise_ratio"
        ),
        "Clipped fraction of the message, by step": _steps("message/clipped_fraction"),
        "Scale of the message, by step": _steps("message/scale"),
    }


def _constraint_charts(propagation: Propagation) -> dict[str, Chart]:
    energy = _steps("constraint/energy_of_change")
    if not isinstance(propagation, SmoothnessAwarePropagation):
        return {"Energy of the change, by step": energy}
    return {
        "Energy of the change, by step, and the budget": _lines(*energy[1], "constraint/budget"),
        "Violation, by step (holds below 0)": _steps("constraint/violation"),
        "Multiplier, by step": _steps("constraint/multiplier"),
    }


def _lines(*tags: str) -> Chart:
    return ["Multiline", list(tags)]


def _steps(tag: str) -> Chart:
    """All steps of a series: TensorBoard reads the tags of such a chart as patterns."""
    return _lines(rf"{tag}/step_\d+")


class TensorBoardLayout(Callback):
    """Arranges TensorBoard: charts that belong together, and a row in the table of runs.

    The custom scalars show each measure for all steps in one chart, and the error after the
    last step as a margin chart, whose band reaches from the measured error up to the sharp bound.
    The HPARAMS table gets the hyperparameters and the metrics of the best epoch, which are taken
    from the run's numbers: whoever keeps the best epoch writes ``best/val_accuracy``, and a test
    after the fit fills the other columns. Make the logger with
    ``default_hp_metric=False``, or the table has a column without meaning.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for writer in tensorboard_writers(trainer):
            writer.add_custom_scalars(make_layout(pl_module.network))  # type: ignore[arg-type]
            experiment, start, _ = _summaries(trainer, pl_module)
            _write(writer, experiment, start)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for writer in tensorboard_writers(trainer):
            _, _, end = _summaries(trainer, pl_module)
            _write(writer, end)


def _summaries(trainer: Trainer, pl_module: LightningModule) -> tuple[Any, Any, Any]:
    """The table's columns, the run's row, and its end."""
    given = dict(pl_module.hparams)
    # As many as TensorBoard shows at first.
    first = {
        "data": getattr(getattr(trainer, "datamodule", None), "title", None),
        "bits": _bits(given["bits"], given["stage_bits"] or {}),
        "messages": _messages(pl_module.network),  # type: ignore[arg-type]
        "num_steps": given["num_steps"],
        "seed": torch.initial_seed(),
    }
    found = first | {name: given[name] for name in _COMPARED}
    plain = {name: value for name, value in found.items() if value is not None}
    experiment, start, end = hparams(plain, dict.fromkeys(METRICS, 0.0))  # type: ignore[no-untyped-call]
    _put_first(experiment, tuple(first))
    return experiment, start, end


def _bits(preset: str, stages: Mapping[str, int]) -> str:
    """The preset, and the stages that have other bits."""
    return ", ".join([preset, *(f"{stage} {bits}" for stage, bits in stages.items())])


def _messages(network: nn.Module) -> str:
    """What the network sends, where the option leaves it open too."""
    delta_sigma = isinstance(network, PropagatingNetwork) and isinstance(
        network.propagation.messages, DeltaSigmaMessages
    )
    return "delta_sigma" if delta_sigma else "direct"


def _put_first(experiment: Any, names: tuple[str, ...]) -> None:
    """Mark hyperparameters to differ between runs, which TensorBoard shows first.

    It cannot tell itself where a run has described the columns, and shows five of the others.
    """
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    plugin_data = experiment.value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin_data.content)
    for info in content.experiment.hparam_infos:
        info.differs = info.name in names
    plugin_data.content = content.SerializeToString()


def _write(writer: Any, *summaries: Any) -> None:
    # Not add_hparams, which opens another run, nor log_hyperparams, which draws made-up first
    # values into the curves of the metrics.
    for summary in summaries:
        writer._get_file_writer().add_summary(summary)
