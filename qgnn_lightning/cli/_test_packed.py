"""``qgnn test --packed``: the accuracy of a packed network."""

from __future__ import annotations

from qgnn_lightning.cli._packed_data import PackedParser
from qgnn_lightning.cli._report import metrics_table
from qgnn_lightning.run import split_accuracies


def run_test_packed(arguments: list[str]) -> None:
    """Print the accuracy on the test nodes, and on the validation nodes where there are any.

    Args:
        arguments: What stands behind ``qgnn test``.

    Raises:
        UsageError: If an option or a file cannot be used.
        ValueError: If the network and the data do not fit together.
    """
    parser = test_packed_parser()
    network, data = parser.load(*parser.read(arguments), "test")
    accuracy = split_accuracies(network, data.graph)
    shown = [part for part in ("test", "val") if part in accuracy]
    print(metrics_table({f"{part}/accuracy": accuracy[part] for part in shown}))


def test_packed_parser() -> PackedParser:
    """The options of ``qgnn test --packed``."""
    parser = PackedParser(description="Accuracy of a packed network on test and validation nodes.")
    parser.add_packed()
    return parser
