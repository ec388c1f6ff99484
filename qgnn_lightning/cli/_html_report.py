"""``qgnn report``: runs as one page of HTML; without importing torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from qgnn_lightning.cli._arguments import ArgumentParser
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._output_files import check_output_file
from qgnn_lightning.report import read_run, render_page
from qgnn_lightning.storage import atomic_path

_SUFFIXES = (".html", ".htm")


def report_parser() -> argparse.ArgumentParser:
    """The options of ``qgnn report``."""
    parser = ArgumentParser(
        "qgnn report",
        description="Write one page of HTML about one or several runs; it needs no network.",
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        type=Path,
        help="directory of a run: one that qgnn fit names, or DIR/runs/... of qgnn seeds",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="file to write (default %(default)s)",
    )
    return parser


def run_report(arguments: list[str]) -> None:
    """Write the report.

    Args:
        arguments: What stands behind ``qgnn report``.

    Raises:
        UsageError: If the command line is wrong.
        ReportError: If a run cannot be read.
    """
    options = report_parser().parse_args(arguments)
    output: Path = options.output
    if output.suffix not in _SUFFIXES:
        raise UsageError(f"-o/--output must end in {' or '.join(_SUFFIXES)}, got {output.name!r}")
    check_output_file("-o/--output", output)
    page = render_page([read_run(path) for path in options.runs]).encode(errors="replace")
    with atomic_path(output) as file:
        file.write_bytes(page)
    runs = "1 run" if len(options.runs) == 1 else f"{len(options.runs)} runs"
    print(f"{output}: {runs}, {len(page):,} bytes")
