"""``qgnn predict --packed``: predictions of a packed network on any data."""

from __future__ import annotations

from pathlib import Path

from qgnn_lightning.cli._data_options import add_data, load_data
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._parser import CommandParser, with_suggestion
from qgnn_lightning.deploy import load_packed
from qgnn_lightning.lightning_module import Prediction
from qgnn_lightning.run import prediction_writer, write_predictions


def run_predict_packed(arguments: list[str]) -> None:
    """Write class and probability of every node.

    Args:
        arguments: What stands behind ``qgnn predict``.

    Raises:
        UsageError: If an option or a file cannot be used.
        ValueError: If the network and the data do not fit together.
    """
    parser = predict_packed_parser()
    try:
        options = parser.parse_args(arguments)
    except UsageError as error:
        raise UsageError(with_suggestion(str(error), parser._option_string_actions)) from error
    output = Path(options.output).expanduser()
    prediction_writer(output)
    if not output.parent.is_dir():
        raise UsageError(f"--output: there is no folder {output.parent}")
    if not Path(options.packed).is_file():
        raise UsageError(f"--packed must be a packed network, there is no file {options.packed}")
    network = load_packed(options.packed)
    data = load_data(parser, options)
    graph = data.graph
    if graph.num_features != network.num_features:
        raise ValueError(
            f"the packed network takes {network.num_features} features, "
            f"the data have {graph.num_features}"
        )
    probabilities, classes = network(graph.x, graph.adjacency).softmax(1).max(1)
    prediction = Prediction(graph.node_ids, classes, probabilities)
    rows = write_predictions([prediction], output, data.names)
    print(f"{rows:,} predictions in {output}")


def predict_packed_parser() -> CommandParser:
    """The options of ``qgnn predict --packed``."""
    parser = CommandParser(description="Predict with a packed network.")
    add_data(parser)
    parser.add_argument("--packed", type=str, required=True, help="Packed network.")
    parser.add_argument(
        "--output", type=str, default="predictions.csv", help="File to write, .csv or .parquet."
    )
    return parser
