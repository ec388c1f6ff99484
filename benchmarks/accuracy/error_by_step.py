"""Error of 2-bit messages by depth, direct against delta-sigma, without any retraining.

    python benchmarks/accuracy/error_by_step.py --root ../shared/data/planetoid

Trains a full-precision network on Cora (or, without ``--root``, on the digits), then propagates
its class scores with quantized messages, and compares each step with full precision. Writes the
result file and the figure of the README.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything

from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.nn import PropagationConfig, error_bound, exact_steps, make_propagation
from qgnn_lightning.quantization import Precision

PROJECT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "error_by_step.json"
FIGURE = PROJECT / "docs" / "figures" / "error_by_step.svg"
FORMS = {"direct": "direct", "delta_sigma": "delta-sigma"}


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
def errors(scores: torch.Tensor, data: GraphDataModule, form: str, num_steps: int) -> dict:
    """Measured error and sharp bound after each step, relative to the representation."""
    config = PropagationConfig(propagation="personalized", messages=form, num_steps=num_steps)
    propagation = make_propagation(config, Precision(message=2))
    adjacency = data.graph.adjacency
    propagation.train()(scores, adjacency)  # one pass sets the ranges
    bound = error_bound(propagation.eval(), scores, adjacency)
    exact = exact_steps(propagation.recurrence, [0.0] * num_steps, scores, adjacency)
    norms = torch.stack([h.norm() for h in exact])
    return {
        "measured": (bound.measured / norms).tolist(),
        "sharp_bound": (bound.sharp / norms).tolist(),
    }


def draw(result: dict) -> None:
    """The figure: measured error by step, and its bound."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    for form, colour in zip(FORMS, ("#d95f02", "#1f77b4"), strict=True):
        steps = range(1, len(result["errors"][form]["measured"]) + 1)
        axes.plot(steps, result["errors"][form]["measured"], color=colour, label=FORMS[form])
        axes.plot(steps, result["errors"][form]["sharp_bound"], color=colour, ls="--", lw=1)
    axes.plot([], [], color="#555555", ls="--", lw=1, label="bound")
    axes.set_yscale("log")
    axes.set_xlabel("propagation step")
    axes.set_ylabel("relative error of the scores")
    axes.set_title(f"2-bit messages, no retraining ({result['graph']})", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="folder of the Planetoid data sets")
    parser.add_argument("--num_steps", type=int, default=64)
    arguments = parser.parse_args()
    if arguments.root:
        data = GraphDataModule(source="planetoid", name="Cora", root=arguments.root)
    else:
        data = GraphDataModule()
    scores = trained_scores(data)
    commit = subprocess.check_output(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, text=True
    ).strip()
    result = {
        "graph": "Cora" if arguments.root else "digits",
        "command": "python benchmarks/accuracy/error_by_step.py"
        + (f" --root {arguments.root}" if arguments.root else ""),
        "commit": commit,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "errors": {form: errors(scores, data, form, arguments.num_steps) for form in FORMS},
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    draw(result)
    for form, found in result["errors"].items():
        for step in (10, arguments.num_steps):
            print(f"{form:12} step {step:3}: {found['measured'][step - 1]:.4f}")


if __name__ == "__main__":
    main()
