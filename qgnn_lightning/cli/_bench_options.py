"""The options of ``qgnn bench``."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from qgnn_lightning.bench import CHART_SUFFIXES, GRAPHS
from qgnn_lightning.cli._arguments import ArgumentParser
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._output_files import check_output_file
from qgnn_lightning.provenance import num_cpus

#: The size of ogbn-arxiv.
_GRAPH = {"num_nodes": 169_343, "num_edges": 1_157_799}
#: What is measured in half a minute where neither a size nor candidates are asked for.
_QUICK: dict[str, Any] = {
    "num_nodes": 60_000,
    "num_edges": 410_000,
    "num_features": 64,
    "candidates": ["fp32-csr", "fp32-bag", "fp32-sum", "int?-*"],
}
#: Options that shape a random network, with their defaults; a stored network brings its own.
_SHAPE = {
    "num_features": 128,
    "hidden_features": 256,
    "num_classes": 40,
    "num_steps": 10,
    "restart": 0.1,
    "messages": "auto",
    "residual_bits": 16,
    "bits": [8, 4, 2],
}


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Read and check the options.

    Args:
        arguments: What was typed after ``qgnn bench``.

    Raises:
        UsageError: If an option is unknown, or its value is wrong.
    """
    options, unknown = bench_parser().parse_known_args(arguments)
    if unknown:
        raise UsageError(_unknown(unknown[0], options))
    _check_data(options)
    _take_defaults(options)
    _check(options)
    return options


def _check_data(options: argparse.Namespace) -> None:
    if options.mode == "model" and options.data is not None:
        _check_left_open(options, ("num_features", *_GRAPH), "--data: the data decide it")


def _check_left_open(options: argparse.Namespace, names: Iterable[str], decided_by: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} cannot be chosen with {decided_by}")


def _take_defaults(options: argparse.Namespace) -> None:
    """Sizes that were not asked for."""
    propagate = options.mode == "propagate"
    options.quick = propagate and all(getattr(options, name) is None for name in _QUICK)
    defaults = _QUICK if options.quick else _GRAPH
    if propagate:
        defaults = {"num_features": _SHAPE["num_features"], **defaults}
    for name, default in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, default)


#: Largest seed of torch's generators.
_LARGEST_SEED = 2**64 - 1


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {number}")
        if most is not None and number > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, got {number}")
        return number

    return parse


def _fraction(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"must be in (0, 1), got {number:g}")
    return number


def bench_parser() -> argparse.ArgumentParser:
    """The options of ``qgnn bench``."""
    parser = ArgumentParser(
        prog="qgnn bench",
        description="Measure packed inference against FP32 libraries, side by side.",
    )
    modes = parser.add_subparsers(dest="mode", required=True, metavar="propagate|model")
    propagate = modes.add_parser(
        "propagate",
        help="K propagation steps",
        prog="qgnn bench propagate",
        epilog="Without any of --num_nodes, --num_edges, --num_features and --candidates it is a "
        "first look, on a smaller graph and in half a minute.",
    )
    _add_common(propagate, quick=True)
    _add_propagation(propagate, propagate=True)
    model = modes.add_parser("model", help="a whole network", prog="qgnn bench model")
    _add_common(model, quick=False)
    _add_propagation(model, propagate=False)
    model.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="graph and features of a data set, such as configs/data/cora.yaml",
    )
    stored = model.add_mutually_exclusive_group()
    stored.add_argument("--ckpt", type=Path, metavar="FILE", help="checkpoint of `qgnn fit`")
    stored.add_argument("--packed", type=Path, metavar="FILE", help="packed network")
    for name in ("hidden_features", "num_classes"):
        model.add_argument(f"--{name}", type=_whole(1), metavar="N", help=_shape_help(name))
    model.add_argument(
        "--messages", choices=("auto", "direct", "delta_sigma"), help=_shape_help("messages")
    )
    model.add_argument("--bits", type=int, nargs="+", choices=(8, 4, 2), help=_shape_help("bits"))
    return parser


def _shape_help(name: str) -> str:
    default = _SHAPE[name]
    text = " ".join(map(str, default)) if isinstance(default, list) else str(default)
    return f"of the random network (default {text})"


def _add_common(parser: argparse.ArgumentParser, *, quick: bool) -> None:
    add = parser.add_argument
    nodes, edges = (_default(name, value, quick=quick) for name, value in _GRAPH.items())
    which = f"; {_default('candidates', 'all', quick=True)}" if quick else ""
    add("--num_nodes", type=_whole(2), metavar="N", help=nodes)
    add("--num_edges", type=_whole(1), metavar="N", help=f"undirected edges; {edges}")
    add("--graph", choices=GRAPHS, default="uniform", help="kind of graph (default %(default)s)")
    seed = _whole(0, _LARGEST_SEED)
    add("--seed", type=seed, default=0, metavar="N", help="of graph and features (default 0)")
    add("--threads", type=_whole(1), default=num_cpus(), metavar="N", help="default %(default)s")
    add("--repeats", type=_whole(1), default=7, metavar="N", help="timed calls (default 7)")
    names = f"only these; patterns such as 'fp32-*'{which}"
    add("--candidates", nargs="+", metavar="NAME", help=names)
    add("--json", type=Path, metavar="FILE", help="write everything to this file")
    add("--plot", type=Path, metavar="FILE", help=f"bar chart, {' or '.join(CHART_SUFFIXES)}")


def _default(name: str, value: object, *, quick: bool) -> str:
    """A default in words; where there is a first look, that of it too."""
    if not quick or name not in _QUICK:
        return f"default {value}"
    first = _QUICK[name]
    first = " ".join(first) if isinstance(first, list) else first
    return f"default {first} in the first look, else {value}"


def _add_propagation(parser: argparse.ArgumentParser, *, propagate: bool) -> None:
    def add(name: str, **kwargs: Any) -> None:
        default = _SHAPE[name] if propagate and name not in _QUICK else None
        text = _default(name, _SHAPE[name], quick=propagate)
        parser.add_argument(f"--{name}", default=default, help=text, **kwargs)

    add("num_features", type=_whole(1), metavar="N")
    add("num_steps", type=_whole(1), metavar="N")
    add("restart", type=_fraction, metavar="R")
    add("residual_bits", type=int, choices=(8, 16))


def _unknown(option: str, options: argparse.Namespace) -> str:
    known = [f"--{name}" for name in vars(options) if name != "mode"]
    close = difflib.get_close_matches(option.split("=")[0], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"see qgnn bench {options.mode} --help"
    return f"unknown option {option!r}: {hint}"


def _check(options: argparse.Namespace) -> None:
    if options.threads > num_cpus():
        raise UsageError(
            f"--threads must be at most {num_cpus()}, the processors there are, "
            f"got {options.threads}"
        )
    for name in ("json", "plot"):
        path: Path | None = getattr(options, name)
        if path is not None:
            check_output_file(f"--{name}", path)
    if options.plot is not None:
        _check_plot(options.plot)
    if options.mode == "model":
        if options.data is not None and not options.data.is_file():
            raise UsageError(
                "--data must be a file of options that name the data, such as RUN/config.yaml, "
                f"there is none at {options.data}"
            )
        _check_stored(options)


def _check_plot(path: Path) -> None:
    if path.suffix not in CHART_SUFFIXES:
        raise UsageError(f"--plot must end in {', '.join(CHART_SUFFIXES)}, got {path.name}")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(
            "--plot needs matplotlib, which is not installed: pip install 'qgnn-lightning[viz]'"
        )


def _check_stored(options: argparse.Namespace) -> None:
    for stored in ("ckpt", "packed"):
        path: Path | None = getattr(options, stored)
        if path is None:
            continue
        if not path.is_file():
            raise UsageError(f"--{stored} must be a file, there is none at {path}")
        _check_left_open(options, _SHAPE, f"--{stored}: the file decides it")
        return
    for name, default in _SHAPE.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
