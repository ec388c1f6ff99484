"""``qgnn predict --packed``: predictions of a packed network on any data."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.cli._packed_data import PackedParser
from qgnn_lightning.cli._prediction_options import add_predictions, check_output
from qgnn_lightning.lightning_module import Prediction
from qgnn_lightning.run import write_predictions


def run_predict_packed(arguments: list[str]) -> None:
    """Write class and probability of every node.

    Args:
        arguments: What stands behind ``qgnn predict``.

    Raises:
        UsageError: If an option or a file cannot be used, or the network and the data do not fit
            together.
    """
    parser = predict_packed_parser()
    options, typed = parser.read(arguments)
    output = Path(options.output).expanduser()
    check_output(output)
    network, data = parser.load(options, typed, "predict")
    graph = data.graph
    prediction = Prediction(graph.node_ids, network(graph.x, graph.adjacency).softmax(1))
    rows = write_predictions(
        [prediction], output, data.names, every_class=options.every_probability
    )
    print(f"{rows:,} predictions in {output}")


def predict_packed_parser() -> PackedParser:
    """The options of ``qgnn predict --packed``."""
    parser = PackedParser(description="Predict with a packed network.")
    parser.add_packed()
    add_predictions(parser, "predictions.csv", "predictions.csv in the current folder")
    return parser
