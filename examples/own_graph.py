"""Your own graph from CSV files to a network of packed 2-bit integers, and our layers in PyG.

Run it with ``python examples/own_graph.py``: under a minute, no network. It leaves everything in
the folder ``own_graph``, which is its own: run again, it removes the training of the last time
(``own_graph/run``), writes the other files anew, and so starts over.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from sklearn.datasets import load_wine
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import StandardScaler
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

from qgnn_lightning.cli import main
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.deploy import load_packed
from qgnn_lightning.nn import PropagationConfig, QuantizedLinear, make_propagation
from qgnn_lightning.quantization import Precision, make_quantizer


def write_graph(folder: Path) -> None:
    """Write 178 wines as CSV: 13 measurements each, linked to the five most similar ones."""
    wines = load_wine()
    features = StandardScaler().fit_transform(wines.data)
    links = kneighbors_graph(features, 5).tocoo()
    names = [f"wine {number}" for number in range(len(features))]
    labels = [f"cultivar {label}" for label in wines.target]
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "labels.csv", ["node", "label"], zip(names, labels, strict=True))
    rows = ([name, *row] for name, row in zip(names, features, strict=True))
    write_table(folder / "features.csv", ["node", *wines.feature_names], rows)
    ends = ([names[a], names[b]] for a, b in zip(links.row, links.col, strict=True))
    write_table(folder / "edges.csv", ["source", "target"], ends)


def write_table(path: Path, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def qgnn(*arguments: str) -> None:
    """Run a command as a shell would, and stop where it fails."""
    print(f"\n$ qgnn {' '.join(arguments)}", flush=True)
    if main(arguments) != 0:
        raise SystemExit(1)


class Model(torch.nn.Module):
    """A PyG layer, our propagation with 2-bit messages, and our linear layer with 4-bit weights."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.conv = GCNConv(num_features, 16)
        self.propagation = make_propagation(PropagationConfig(num_steps=8), Precision(message=2))
        self.classifier = QuantizedLinear(
            16, num_classes, make_quantizer("least_squares", 4), make_quantizer("learned_range", 4)
        )

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        """Class scores of every node."""
        h = self.conv(x, edge_index).relu()
        return self.classifier(self.propagation(h, edge_index))


def train_in_pyg(data: Data, num_classes: int, epochs: int) -> float:
    """Train the model in a plain loop, and return its accuracy on the test nodes."""
    torch.manual_seed(0)
    model = Model(data.num_features, num_classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(epochs):
        optimizer.zero_grad()
        scores = model(data.x, data.edge_index)[data.train_mask]
        torch.nn.functional.cross_entropy(scores, data.y[data.train_mask]).backward()
        optimizer.step()
        model.propagation.ascend()  # the multipliers of the smoothness constraint
    model.eval()
    correct = model(data.x, data.edge_index).argmax(1) == data.y
    return float(correct[data.test_mask].float().mean())


def run(folder: Path, epochs: int = 100) -> dict[str, float]:
    """All steps, from the start; returns the accuracies on the test nodes."""
    graph, trained, packed = folder / "graph", folder / "run", folder / "model.safetensors"
    shutil.rmtree(trained, ignore_errors=True)  # a run directory holds one run
    write_graph(graph)

    # 1. Is the graph what we think it is?
    split = ["--data.split=random", "--data.num_train_per_class=10"]
    split += ["--data.num_val=40", "--data.num_test=80"]
    qgnn("data", "check", str(graph), *split)

    # 2. Train a network with 2 bits in every stage, and look at the run in a browser.
    source = ["--data.source=files", f"--data.root={graph}", *split]
    training = ["--model.bits=int2", "--model.num_steps=8", f"--trainer.max_epochs={epochs}"]
    qgnn("fit", *source, *training, f"--run_dir={trained}")
    qgnn("report", str(trained), "-o", str(folder / "report.html"))

    # 3. Pack it into one file of real integers, and use it without Lightning.
    qgnn("export", str(trained / "checkpoints" / "best.ckpt"), "-o", str(packed))
    qgnn("predict", "--packed", str(packed), *source, "--output", str(folder / "predictions.csv"))
    module = GraphDataModule("files", root=str(graph), split="random", num_train_per_class=10,
                             num_val=40, num_test=80)  # fmt: skip
    module.setup()
    nodes = module.graph
    correct = load_packed(packed)(nodes.x, nodes.adjacency).argmax(1) == nodes.y
    accuracies = {"packed, 2 bits": float(correct[nodes.test_mask].float().mean())}

    # 4. Our layers inside a plain PyG model.
    edges = torch.stack([nodes.adjacency.col, nodes.adjacency.row])
    data = Data(x=nodes.x, edge_index=edges[:, edges[0] != edges[1]], y=nodes.y,
                train_mask=nodes.train_mask, test_mask=nodes.test_mask)  # fmt: skip
    accuracies["PyG with our layers"] = train_in_pyg(data, module.num_classes, epochs)
    print("\ntest accuracy:")
    for name, accuracy in accuracies.items():
        print(f"  {name:<20} {100 * accuracy:.1f} %")
    return accuracies


if __name__ == "__main__":
    run(Path("own_graph"))
