"""``qgnn seeds`` and ``qgnn study``: many runs of ``qgnn fit``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from qgnn_lightning.cli._arguments import ArgumentParser
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._experiment_name import experiment_name
from qgnn_lightning.cli._loading import loading
from qgnn_lightning.cli._option_names import defaults_of
from qgnn_lightning.provenance import num_cpus
from qgnn_lightning.storage import CONFIG_FILE, remove_unfinished
from qgnn_lightning.study import (
    SEED,
    Options,
    ResultFile,
    Study,
    StudyError,
    WorkerPool,
    check_data,
    check_names,
    check_options,
    execute,
    merge,
    parse_seeds,
    parse_value,
    plan,
    read_config,
    read_study,
    short_table,
)

_WORKER = (sys.executable, "-m", "qgnn_lightning.cli._worker")
_SPLITS: dict[str, Options] = {
    "public": {"data.split": "public"},
    "random": {"data.split": "random", "data.split_seed": SEED},
}
#: Options of `qgnn fit` without a dot; all but the first are refused with a reason.
_FIT_ONLY = ("--observers", "--seed_everything", "--run_dir", "--ckpt_path")
_NOT_KEPT = "none is kept: `qgnn fit` with the options of one trains it into a directory of its own"
_FIT_OPTIONS = "any option of `qgnn fit`, such as --model.bits int2, holds for all runs"


def run_seeds(arguments: list[str]) -> None:
    """Run one configuration with several seeds.

    Args:
        arguments: What was typed after ``qgnn seeds``.

    Raises:
        UsageError: If the command line is wrong.
        StudyError: If a configuration file, or an option of the runs is wrong.
    """
    options, typed = _parse(seeds_parser(), arguments)
    study = _seeds_study(options, typed)
    folder = options.output or Path("runs") / f"{study.name}_seeds"
    folder.mkdir(parents=True, exist_ok=True)
    if not options.dry_run:
        remove_unfinished(folder)
    command = shlex.join(["qgnn", "seeds", *arguments])
    results = ResultFile.open(folder / "results.json", study, command)
    _run(results, options, folder / "runs")


def run_study(arguments: list[str]) -> None:
    """Run each combination of options of a study.

    Args:
        arguments: What was typed after ``qgnn study``.

    Raises:
        UsageError: If the command line is wrong.
        StudyError: If the study is wrong.
    """
    options, typed = _parse(study_parser(), arguments)
    study = read_study(options.study, typed)
    path = options.output
    if path is not None and path.suffix != ".json":
        raise UsageError(f"--output must end in .json, got {path}: the table is written beside it")
    if path is None:
        path = options.study.parent / "results" / f"{study.name}.json"
        path.parent.mkdir(exist_ok=True)
    command = shlex.join(["qgnn", "study", *arguments])
    results = ResultFile.open(path, study, command)
    _run(results, options)


def seeds_parser() -> _Parser:
    """The options of ``qgnn seeds``, but for those of ``qgnn fit``."""
    parser = _Parser(
        prog="qgnn seeds",
        description="Train one configuration with several seeds: mean and spread of the accuracy.",
        epilog=f"{_FIT_OPTIONS}. Finished runs are not repeated. Their directories stay in "
        "DIR/runs, for `qgnn report` and `qgnn export`.",
    )
    parser.add_argument(
        "-c", "--config", type=Path, action="append", default=[], help="as of `qgnn fit`"
    )
    parser.add_argument("--seeds", default="10", help="how many (10), 0..9, or 3,5 (default 10)")
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=_SPLITS,
        default=[],
        help="public, random (another one for every seed) or both; by default what the "
        "configuration says",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="by default runs/CONFIG_seeds, without -c runs/DATA_BITS_seeds",
    )
    return parser


def study_parser() -> _Parser:
    """The options of ``qgnn study``, but for those of ``qgnn fit``."""
    parser = _Parser(
        prog="qgnn study",
        description="Train each combination of options of a study with several seeds, and make "
        "their table.",
        epilog=f"{_FIT_OPTIONS}. Finished runs are not repeated. What is kept of a run is its "
        "numbers, not its directory: to have one for `qgnn report` or `qgnn export`, train it with "
        "`qgnn fit`, the base as -c FILE, the options of its row and --seed_everything SEED.",
    )
    parser.add_argument("study", type=Path, metavar="STUDY.yaml", help="base, axes, seeds, exclude")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE.json",
        help="by default results/STUDY.json beside the study; the table is FILE.md",
    )
    return parser


def _seeds_study(options: argparse.Namespace, typed: Options) -> Study:
    check_names(typed, "the command line")
    splits = {name: _SPLITS[name] for name in options.splits}
    for name in ("data.split", "data.split_seed"):
        if splits and name in typed:
            raise StudyError(f"--{name} contradicts --splits, which sets it")
    base = merge(*(read_config(path) for path in options.config), typed)
    name = _name_of(options.config[-1]) if options.config else _name_without_config(typed)
    axes = {"split": splits} if splits else {}
    return Study(name, base, axes, parse_seeds(options.seeds))


def _name_of(config: Path) -> str:
    """The name of a file, or that of its run where it is called as in every run."""
    if config.name != CONFIG_FILE:
        return config.stem
    folder = config.resolve().parent
    numbered = folder.name.startswith("version_")
    return f"{folder.parent.name}_{folder.name}" if numbered else folder.name


def _name_without_config(typed: Options) -> str:
    """The name that the folder of such runs of ``qgnn fit`` has."""
    data, model = (
        {name: typed.get(f"{group}.{name}", one) for name, one in defaults_of(group).items()}
        for group in ("data", "model")
    )
    return experiment_name(data, model)


def _run(results: ResultFile, options: argparse.Namespace, keep: Path | None = None) -> None:
    with _sigterm_stops(), WorkerPool(_WORKER, options.jobs) as pool:
        with loading(quiet=False, text="checking options and data ..."):
            check_options(results, pool)
            if not options.dry_run:
                check_data(results, pool)
        print(plan(results), flush=True)
        if not options.dry_run:
            _execute(results, pool, keep)


def _execute(results: ResultFile, pool: WorkerPool, keep: Path | None) -> None:
    try:
        execute(results, pool, keep)
    finally:
        if results.runs:
            print(f"\n{short_table(results.rows())}\n\nresults  {results.path}")
            print(f"table    {results.table_path}")
            print(f"runs     {_NOT_KEPT if keep is None else keep}")


class _Parser(ArgumentParser):
    """With the options that both commands have."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_argument(
            "--jobs", type=_positive, default=num_cpus(), metavar="N", help="processes at a time, "
            "with one thread each (default: the processors, %(default)s)"
        )  # fmt: skip
        self.add_argument(
            "--dry_run",
            action="store_true",
            help="check the options and list what is to be "
            "done; nothing is trained, no data are read",
        )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _parse(parser: _Parser, arguments: Sequence[str]) -> tuple[argparse.Namespace, Options]:
    """Our options, and those of ``qgnn fit``: ``--model.bits int2`` or ``--model.bits=int2``."""
    ours: list[str] = []
    typed: Options = {}
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if not _is_of_fit(name):
            ours.append(word)
            continue
        if not equals:
            value = next(words, "--")
            if value.startswith("--"):
                raise UsageError(f"{name} needs a value")
        typed = merge(typed, {name.removeprefix("--"): parse_value(value)})
    return parser.parse_args(ours), typed


def _is_of_fit(name: str) -> bool:
    return name.startswith("--") and ("." in name or name in _FIT_ONLY)


@contextmanager
def _sigterm_stops() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, with code 143."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(signum: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)
