"""``qgnn predict --packed``: predictions of a packed network on any data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgnn_lightning.cli._data_options import add_data, load_data
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._packed_options import ConfigOfData, check_model, without_model
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
    kept, typed = without_model(arguments)
    try:
        options = parser.parse_args(kept)
    except UsageError as error:
        raise UsageError(with_suggestion(str(error), parser._option_string_actions)) from error
    output = Path(options.output).expanduser()
    prediction_writer(output)
    if not output.parent.is_dir():
        raise UsageError(f"--output: there is no folder {output.parent}")
    if not Path(options.packed).is_file():
        raise UsageError(f"--packed must be a packed network, there is no file {options.packed}")
    network = load_packed(options.packed)
    check_model(typed, network, Path(options.packed))
    if parser.left_out:
        unused = ", ".join(parser.left_out)
        print(f"{options.packed} decides the model: not used of the configuration: {unused}")
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


class _Parser(CommandParser):
    """Remembers which sections of configurations were not used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left_out: list[str] = []


def predict_packed_parser() -> _Parser:
    """The options of ``qgnn predict --packed``."""
    parser = _Parser(description="Predict with a packed network.")
    add_data(parser, ConfigOfData)
    parser.add_argument("--packed", type=str, required=True, help="Packed network.")
    parser.add_argument(
        "--output", type=str, default="predictions.csv", help="File to write, .csv or .parquet."
    )
    return parser
