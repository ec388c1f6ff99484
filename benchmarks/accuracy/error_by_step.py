"""Error of messages of few bits by depth, direct against delta-sigma, without any retraining.

    python benchmarks/accuracy/error_by_step.py

Trains a full-precision network on Cora, then propagates its class scores with quantized messages,
calibrated for each depth, and compares with full precision. Writes the result file and the figure
of the README.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything

from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import PropagationConfig, calibrate, error_bound, make_propagation
from qgnn_lightning.provenance import commit
from qgnn_lightning.quantization import Precision

PROJECT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "error_by_step.json"
FIGURE = PROJECT / "docs" / "figures" / "error_by_step.svg"
FORMS = {"direct": "direct", "delta_sigma": "delta-sigma"}
BITS = (1, 2, 3, 4)
DEPTHS = (1, 2, 4, 10, 16, 32, 64)
COLOURS = {1: "#999999", 2: "#1f77b4", 3: "#2ca02c", 4: "#9467bd"}


def trained_scores(data: GraphDataModule) -> torch.Tensor:
    """Class scores before the propagation, of a full-precision network after 200 epochs."""
    seed_everything(0, verbose=False)
    model = NodeClassifier(bits="float32", dropout=0.8)
    Trainer(
        max_epochs=200,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    ).fit(model, data)
    with torch.no_grad():
        return model.network.eval().propagation_input(data.graph.x)


@torch.no_grad()
def error(scores: torch.Tensor, data: GraphDataModule, form: str, bits: int, depth: int) -> dict:
    """Measured error and sharp bound after the last step, relative to the representation."""
    config = PropagationConfig(propagation="personalized", messages=form, num_steps=depth)
    propagation = make_propagation(config, Precision(message=bits))
    calibrate(propagation, scores, data.graph.adjacency)
    bound = error_bound(propagation, scores, data.graph.adjacency)
    return {
        "measured": float(bound.measured[-1] / bound.norm[-1]),
        "sharp_bound": float(bound.sharp[-1] / bound.norm[-1]),
    }


def draw(result: dict) -> None:
    """The figure: measured error by depth, and the bound at 2 bits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for bits in BITS:
        for form, style in zip(FORMS, (":", "-"), strict=True):
            found = result["errors"][form][str(bits)]
            depths = [int(depth) for depth in found]
            measured = [one["measured"] for one in found.values()]
            axes.plot(depths, measured, style, color=COLOURS[bits], marker=".")
            if bits == 2:
                bounds = [one["sharp_bound"] for one in found.values()]
                axes.plot(depths, bounds, style, color=COLOURS[bits], lw=0.8, alpha=0.6)
        axes.plot([], [], color=COLOURS[bits], label=f"{bits} bit" + "s" * (bits > 1))
    axes.plot([], [], "-", color="black", label="delta-sigma")
    axes.plot([], [], ":", color="black", label="direct")
    axes.plot([], [], "-", color=COLOURS[2], lw=0.8, alpha=0.6, label="bound at 2 bits")
    axes.set_xscale("log", base=2)
    axes.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    axes.set_yscale("log")
    axes.set_xlabel("propagation steps")
    axes.set_ylabel("relative error of the scores")
    axes.set_title(f"Quantized messages, no retraining ({result['graph']})", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Train, measure, write."""
    data = GraphDataModule(source="planetoid", name="Cora")
    data.prepare_data()
    data.setup()
    scores = trained_scores(data)
    result = {
        "graph": "Cora",
        "command": "python benchmarks/accuracy/error_by_step.py",
        "commit": commit(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "errors": {
            form: {
                str(bits): {str(depth): error(scores, data, form, bits, depth) for depth in DEPTHS}
                for bits in BITS
            }
            for form in FORMS
        },
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    draw(result)
    for form, by_bits in result["errors"].items():
        for bits, by_depth in by_bits.items():
            row = "  ".join(f"{depth}: {one['measured']:.4f}" for depth, one in by_depth.items())
            print(f"{form:12} {bits} bits  {row}")


if __name__ == "__main__":
    main()
