"""The commands on Lightning's command line interface."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse.typing import restricted_number_type
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from qgnn_lightning.callbacks import (
    ConstraintMonitor,
    Figures,
    Histograms,
    Oversmoothing,
    QuantizationError,
    TensorBoardLayout,
)
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._parser import CommandParser, with_suggestion
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.cli._report import describe_network, metrics_table, results_table
from qgnn_lightning.cli._stored_arguments import check_agreement, load_checkpoint, model_arguments
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import (
    BestCheckpoint,
    DataArguments,
    EpochProgress,
    LastCheckpoint,
    RandomState,
    RunDirectory,
    RunLogger,
    StopOnSignal,
    Stopped,
    atomic_path,
    environment,
    network_summary,
    prediction_writer,
    split_accuracies,
    write_predictions,
)

Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)])

_TRAINER_DEFAULTS = {
    "devices": 1,
    "max_epochs": 200,
    "log_every_n_steps": 1,
    "num_sanity_val_steps": 0,  # quantizers have no range before the first training step
    "enable_model_summary": False,  # one line of our own takes its place
}
_OBSERVERS: dict[str, type[Callback]] = {
    "oversmoothing": Oversmoothing,
    "quantization_error": QuantizationError,
    "constraint_monitor": ConstraintMonitor,
    "histograms": Histograms,
    "figures": Figures,
    "tensorboard_layout": TensorBoardLayout,
}
_NAMES_OF_DATA = ("source", "name")
#: Belong to one run only.
_NOT_KEPT = ("config", "ckpt_path", "run_dir", "output")


def run(arguments: list[str], started: float) -> None:
    """Run a command.

    Args:
        arguments: The command and its options.
        started: When the program was started, by ``time.perf_counter``.
    """
    with quiet():
        Application(arguments, started)


class Application(LightningCLI):
    """``fit``, ``validate``, ``test`` and ``predict`` for :class:`NodeClassifier`.

    Args:
        arguments: The command and its options.
        started: When the program was started, by ``time.perf_counter``.
    """

    model: NodeClassifier
    datamodule: GraphDataModule

    def __init__(self, arguments: list[str], started: float) -> None:
        self._started = started
        self._run: RunDirectory | None = None
        super().__init__(
            NodeClassifier,
            GraphDataModule,
            args=arguments,
            parser_class=CommandParser,
            trainer_defaults=_TRAINER_DEFAULTS,
            seed_everything_default=0,
            save_config_callback=None,
            # A checkpoint holds plain arguments, and never says what is to be imported.
            load_from_checkpoint_support=False,
            auto_configure_optimizers=False,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The commands, without the arguments of Lightning's methods."""
        skipped = {
            "fit": {"train_dataloaders", "val_dataloaders"},
            "validate": {"dataloaders", "verbose"},
            "test": {"dataloaders", "verbose"},
            "predict": {"dataloaders", "return_predictions"},
        }
        common = {"model", "datamodule", "ckpt_path", "weights_only"}
        return {command: names | common for command, names in skipped.items()}

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the seed: a number, always."""
        parser.add_argument(
            "--seed_everything", type=Seed, default=0, help="Seed of all random generators."
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the observers, each with its options."""
        parser.add_argument(
            "--observers", type=bool, default=True, help="Whether anything is observed at all."
        )
        for name, observer in _OBSERVERS.items():
            parser.add_lightning_class_args(observer, name)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        wanted = "continued" if subcommand == "fit" else "used"
        parser.add_argument(
            "--ckpt_path", type=str | None, default=None, help=f"Checkpoint that is {wanted}."
        )
        if subcommand == "fit":
            parser.add_argument(
                "--run_dir",
                type=str | None,
                default=None,
                help="Directory of the run; by default runs/DATA_BITS/version_N.",
            )
        if subcommand == "predict":
            parser.add_argument(
                "--output",
                type=str | None,
                default=None,
                help="File to write, .csv or .parquet; by default predictions.csv in the "
                "directory of the run.",
            )
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; what was typed is kept apart from defaults."""
        try:
            self.config = parser.parse_args(args)
            typed = parser.parse_args(args, defaults=False)
        except UsageError as error:
            options = self._subcommand_parsers[args[0]]._option_string_actions
            raise UsageError(with_suggestion(str(error), options)) from error
        self._typed = typed[typed["subcommand"]]

    def _parse_ckpt_path(self) -> None:
        """Take the arguments in a checkpoint that were not typed."""
        command = self.config["subcommand"]
        path = self.config[command]["ckpt_path"]
        if path is None:
            if command != "fit":
                raise UsageError("--ckpt_path is needed: the checkpoint of a trained network")
            return
        checkpoint = load_checkpoint(Path(path))
        model, data = model_arguments(checkpoint), DataArguments.stored(checkpoint)
        check_agreement(model, self._typed_section("model"))
        stored = {
            "model": _without(model, self._typed_section("model")),
            "data": self._stored_data(data),
        }
        try:
            self.config = self.parser.parse_object({command: stored}, self.config)
        except UsageError as error:
            raise UsageError(f"ckpt_path {path} holds a wrong argument: {error}") from error

    def _typed_section(self, name: str) -> dict[str, Any]:
        section = self._typed.get(name)
        return {} if section is None else dict(vars(section))

    def _stored_data(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the data that were not typed; none for another data set."""
        typed = self._typed_section("data")
        other = any(name in typed and typed[name] != stored.get(name) for name in _NAMES_OF_DATA)
        return {} if other else _without(stored, typed)

    def _set_seed(self) -> None:
        seed_everything(self._options["seed_everything"], workers=True, verbose=False)

    @property
    def _options(self) -> Any:
        return self.config[self.config["subcommand"]]

    @cached_property
    def _plain_config(self) -> dict[str, Any]:
        assert self.subcommand is not None
        text = self._parser(self.subcommand).dump(self._options, skip_unset=False)
        config: dict[str, Any] = yaml.safe_load(text)
        return {name: config[name] for name in config if name not in _NOT_KEPT}

    @property
    def _ckpt_path(self) -> str | None:
        path: str | None = self._options["ckpt_path"]
        return path

    # -- the trainer and its directory

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the directory of the run and the trainer, and load the data.

        Args:
            kwargs: Arguments of the trainer.
        """
        if not self._options["observers"]:
            self._parser(self.subcommand).callback_keys.clear()
        if self.subcommand != "fit" or self._options["trainer"]["fast_dev_run"]:
            kwargs |= {"logger": False, "callbacks": self._callbacks()}
            return self._with_data(super().instantiate_trainer(**kwargs))
        self._check_teacher()
        self._run = self._make_run_directory()
        try:
            kwargs |= self._run_arguments(self._run)
            trainer = self._with_data(super().instantiate_trainer(**kwargs))
            self._write_config(self._run)
        except BaseException:
            self._run.discard_if_unused()
            raise
        return trainer

    def _with_data(self, trainer: Trainer) -> Trainer:
        """Load the data before anything is started, as the trainer would."""
        self.datamodule.trainer = trainer
        self.datamodule.prepare_data()
        self.datamodule.setup()
        return trainer

    def _make_run_directory(self) -> RunDirectory:
        given = self._options["run_dir"]
        path = None if given is None else Path(given).expanduser()
        if self._ckpt_path is not None:
            run = RunDirectory.continued(Path(self._ckpt_path), path)
            if run is not None:
                return run
        if path is not None:
            return RunDirectory.named(path)
        root = Path(self._options["trainer"]["default_root_dir"] or "runs")
        return RunDirectory.next_version(root / self._experiment)

    @property
    def _experiment(self) -> str:
        data, bits = self._options["data"], self._options["model"]["bits"]
        return f"{data['name'] or data['source']}_{bits}".lower().replace("-", "_")

    def _run_arguments(self, run: RunDirectory) -> dict[str, Any]:
        """Arguments of the trainer that belong to a directory."""
        wanted = self._get(self.config_init, "trainer")
        callbacks = self._callbacks()
        callbacks += [RandomState(), DataArguments(self._plain_config["data"]), StopOnSignal()]
        if wanted["enable_checkpointing"] is not False:
            callbacks += [BestCheckpoint(run.best), LastCheckpoint(run.last)]
        arguments = {"callbacks": callbacks, "default_root_dir": str(run.path)}
        if wanted["logger"] in (None, True):
            arguments["logger"] = RunLogger(run.path)
        return arguments

    def _callbacks(self) -> list[Callback]:
        """The callbacks of the configuration, and the progress."""
        wanted = self._get(self.config_init, "trainer")
        given = wanted["callbacks"] or []
        callbacks = list(given) if isinstance(given, list) else [given]
        return callbacks if wanted["enable_progress_bar"] is False else [*callbacks, EpochProgress()]

    def _check_teacher(self) -> None:
        """Read the teacher's checkpoint before a directory is made."""
        teacher = self._options["model"]["teacher_ckpt"]
        if teacher is not None:
            model_arguments(load_checkpoint(Path(teacher), "teacher_ckpt"))

    def _write_config(self, run: RunDirectory) -> None:
        with atomic_path(run.config) as file:
            file.write_text(yaml.safe_dump(self._plain_config, sort_keys=False), encoding="utf-8")

    # -- the commands

    def fit(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Train, test the best epoch, write the results.

        Args:
            model: The model.
            datamodule: The data.
        """
        if self._run is not None:
            print(f"run directory  {self._run.path}", flush=True)
        before = time.perf_counter()
        try:
            self.trainer.fit(
                model, datamodule=datamodule, ckpt_path=self._ckpt_path, weights_only=True
            )
        except Stopped as stop:
            if self._run is not None and self._run.last.is_file():
                print(f"qgnn fit: stopped by {stop.name}; go on with: "
                      f"qgnn fit --ckpt_path {self._run.last}", file=sys.stderr)
            raise
        seconds = time.perf_counter() - before
        best = next((c for c in self.trainer.callbacks if isinstance(c, BestCheckpoint)), None)
        if self._run is None:
            return
        if best is None or not best.found:
            print("nothing to test: no epoch was validated")
            return
        self._finish(self._run, best.epoch, seconds)

    def _finish(self, run: RunDirectory, best_epoch: int, seconds: float) -> None:
        epochs = self.trainer.current_epoch
        self.trainer.test(
            self.model,
            datamodule=self.datamodule,
            ckpt_path=run.best,
            verbose=False,
            weights_only=True,
        )
        summary = network_summary(self.model.network)
        results = {
            "accuracy": split_accuracies(self.model.network.eval(), self.datamodule.graph),
            "best_epoch": best_epoch,
            "epochs": epochs,
            **summary,
            "seconds": {"fit": seconds, "total": time.perf_counter() - self._started},
            "seed": self._options["seed_everything"],
            **environment(),
            "config": self._plain_config,
        }
        with atomic_path(run.results) as file:
            file.write_text(json.dumps(_finite(results), indent=2) + "\n", encoding="utf-8")
        print(results_table(results))
        print(f"network        {describe_network(summary)}")
        print(f"results        {run.results}")
        print(f"curves         tensorboard --logdir {run.path.parent}")

    def validate(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Evaluate on the validation nodes.

        Args:
            model: The model.
            datamodule: The data.
        """
        self._evaluate(self.trainer.validate)

    def test(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Evaluate on the test nodes.

        Args:
            model: The model.
            datamodule: The data.
        """
        self._evaluate(self.trainer.test)

    def _evaluate(self, evaluate: Any) -> None:
        (metrics,) = evaluate(
            self.model,
            datamodule=self.datamodule,
            ckpt_path=self._ckpt_path,
            verbose=False,
            weights_only=True,
        )
        print(metrics_table(metrics))

    def before_predict(self) -> None:
        """Refuse a file that cannot be written before anything is computed."""
        prediction_writer(self._output)
        if not self._output.parent.is_dir():
            raise UsageError(f"--output: there is no folder {self._output.parent}")

    @cached_property
    def _output(self) -> Path:
        given = self._options["output"]
        if given is not None:
            return Path(given).expanduser()
        assert self._ckpt_path is not None
        run = RunDirectory.of_checkpoint(Path(self._ckpt_path))
        return (Path() if run is None else run.path) / "predictions.csv"

    def predict(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Write the predictions.

        Args:
            model: The model.
            datamodule: The data.
        """
        predictions = self.trainer.predict(
            model, datamodule=datamodule, ckpt_path=self._ckpt_path, weights_only=True
        )
        assert predictions is not None
        rows = write_predictions(predictions, self._output)  # type: ignore[arg-type]
        print(f"{rows:,} predictions in {self._output}")


def _without(arguments: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    given = {name for name, value in typed.items() if value is not None}
    return {name: value for name, value in arguments.items() if name not in given}


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
