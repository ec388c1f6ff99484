"""The commands: from options to a trained network, its accuracy or its predictions."""

from __future__ import annotations

import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from qgnn_lightning.callbacks import BEST_ACCURACY, Subject, measure_all
from qgnn_lightning.cli._command_line import CommandLine
from qgnn_lightning.cli._errors import UsageError, describe
from qgnn_lightning.cli._packed import trained_network
from qgnn_lightning.cli._processes import LostProcessError, is_first, is_lost_process
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.cli._refusals import made_of_options
from qgnn_lightning.cli._remarks import hint_at_features, note, remarks_on_training
from qgnn_lightning.cli._report import metrics_table, plan_table, results_table
from qgnn_lightning.cli._run_place import experiment_folder, make_run_directory, take_over
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.deploy import check_packable
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.objectives import NonFiniteError
from qgnn_lightning.run import (
    BestCheckpoint,
    CheckpointError,
    CheckpointFiles,
    DataArguments,
    EpochProgress,
    LastCheckpoint,
    PackedExport,
    RandomState,
    RunDirectory,
    RunLogger,
    StopOnSignal,
    Stopped,
    Trial,
    check_memory,
    environment,
    evaluation,
    file_size,
    graph_summary,
    ignore_requeuing,
    make_blueprint,
    named_memory,
    network_summary,
    plan_training,
    prediction_writer,
    split_accuracies,
    write_json,
    write_predictions,
)
from qgnn_lightning.storage import atomic_path


def run(arguments: list[str], started: float) -> None:
    """Run a command.

    Args:
        arguments: The command and its options.
        started: When the program was started, by ``time.perf_counter``.
    """
    with quiet():
        Application(arguments, started)


#: Numbers in a hidden layer below which a second thread costs more than it brings: on Cora with
#: 64 hidden features (173,000) two threads took 20 s to train, and one 17.6 s.
_LARGE_ENOUGH_FOR_THREADS = 2**20


class Application(CommandLine):
    """``fit``, ``validate``, ``test`` and ``predict`` for :class:`NodeClassifier`.

    Args:
        arguments: The command and its options.
        started: When the program was started, by ``time.perf_counter``.
    """

    def __init__(self, arguments: list[str], started: float) -> None:
        self._started = started
        self._run: RunDirectory | None = None
        self._best: BestCheckpoint | None = None
        self._export: PackedExport | None = None
        self._random_state = RandomState()
        super().__init__(arguments)

    @cached_property
    def plain_config(self) -> dict[str, Any]:
        """The options that another run can be started with, as plain values."""
        config: dict[str, Any] = json.loads(self.dump("json"))
        return config

    @property
    def _checkpoint(self) -> Path | None:
        return None if self.ckpt_path is None else Path(self.ckpt_path)

    def instantiate_classes(self) -> None:
        """Make everything and check it, before anything is written into the run's directory."""
        try:
            super().instantiate_classes()
            with named_memory(self.model):
                self._load_data()
            if self.subcommand == "fit":
                self._check_network()
            if self._run is not None and is_first():
                take_over(self._run, self.options, self._checkpoint, self.stored_step)
                self._write_config(self._run)
        except BaseException:
            if self._run is not None and is_first():
                self._run.discard_if_unused()
            raise

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the directory of the run and the trainer.

        Args:
            kwargs: Arguments of the trainer.
        """
        if not self.options["observers"]:
            self._parser(self.subcommand).callback_keys.clear()
        if self._quiet or self._dry_run:
            kwargs["enable_progress_bar"] = False
        plugins = self._get(self.config_init, "trainer")["plugins"] or []
        given = plugins if isinstance(plugins, list) else [plugins]
        kwargs["plugins"] = [*given, CheckpointFiles()]
        if self.subcommand != "fit" or self._leaves_nothing:
            kwargs |= {"logger": False, "callbacks": self._callbacks()}
            if self._dry_run:
                kwargs |= {"enable_checkpointing": False, "min_epochs": None, "min_steps": None}
        else:
            self._check_teacher()
            self._run = make_run_directory(self.options, self._checkpoint)
            kwargs |= self._run_arguments(self._run)
        return super().instantiate_trainer(**kwargs)

    @property
    def _leaves_nothing(self) -> bool:
        """Whether a training makes no directory."""
        return bool(self.options["trainer"]["fast_dev_run"] or self._dry_run)

    @property
    def _dry_run(self) -> bool:
        return self.subcommand == "fit" and bool(self.options["dry_run"])

    @property
    def _quiet(self) -> bool:
        return self.subcommand == "fit" and bool(self.options["quiet"])

    def _load_data(self) -> None:
        """Load the data before anything is started, as the trainer would."""
        self.datamodule.trainer = self.trainer
        self.datamodule.prepare_data()
        self.datamodule.setup(self.subcommand)
        width = max(self.options["model"]["hidden_features"], self.datamodule.num_classes)
        if self.datamodule.num_nodes * width < _LARGE_ENOUGH_FOR_THREADS:
            torch.set_num_threads(1)

    def _check_network(self) -> None:
        """Refuse options that make no network for these data, or none that there is memory for."""
        with made_of_options():
            self.model.take_sizes(self.datamodule)
            blueprint = make_blueprint(self.model)
            blueprint.configure_optimizers()
        check_memory(blueprint)
        if self._export is not None:
            with made_of_options():  # looks at the multipliers, whatever their values are
                check_packable(blueprint.network.to_empty(device="cpu"))

    def _run_subcommand(self, subcommand: str) -> None:
        with named_memory(self.model):
            super()._run_subcommand(subcommand)

    def _run_arguments(self, run: RunDirectory) -> dict[str, Any]:
        """Arguments of the trainer that belong to a directory."""
        wanted = self._get(self.config_init, "trainer")
        callbacks = self._callbacks()
        callbacks += [self._random_state, DataArguments(self.plain_config["data"]), StopOnSignal()]
        if wanted["enable_checkpointing"] is not False:
            self._best = BestCheckpoint(run.best)
            # An epoch over a large graph is long.
            often = self.options["data"]["batching"] != "full"
            callbacks += [self._best, LastCheckpoint(run.last, 1 if often else 25)]
            if self.options["export"] is not None:
                self._export = PackedExport(Path(self.options["export"]).expanduser())
                callbacks.append(self._export)
        arguments: dict[str, Any] = {"callbacks": callbacks, "default_root_dir": str(run.path)}
        if wanted["logger"] in (None, True):
            arguments["logger"] = RunLogger(run.path)
        return arguments

    def _callbacks(self) -> list[Callback]:
        """The callbacks of the configuration, and the progress."""
        wanted = self._get(self.config_init, "trainer")
        given = wanted["callbacks"] or []
        callbacks = list(given) if isinstance(given, list) else [given]
        silent = self._quiet or self._dry_run
        if wanted["enable_progress_bar"] is not False and not silent:
            callbacks.append(EpochProgress())
        return callbacks

    def _check_teacher(self) -> None:
        """Read the teacher's checkpoint before a directory is made."""
        teacher = self.options["model"]["teacher_ckpt"]
        if teacher is not None:
            trained_network(Path(teacher), "teacher_ckpt")

    def _write_config(self, run: RunDirectory) -> None:
        with atomic_path(run.config) as file:
            file.write_text(self.dump("yaml"), encoding="utf-8")

    def fit(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Train, test the best epoch, write the results.

        Args:
            model: The model.
            datamodule: The data.
        """
        if self._dry_run:
            self._check_teacher()
            self._try(model, datamodule)
            return
        if self._run is not None and is_first():
            self._say(f"run directory  {self._run.path}")
            for remark in remarks_on_training(self.options, datamodule.graph):
                self._say(note(remark))
        before = time.perf_counter()
        try:
            self.trainer.fit(
                model, datamodule=datamodule, ckpt_path=self.ckpt_path, weights_only=True
            )
        except Stopped as stop:
            self._say_how_to_go_on(stop)
            raise
        except NonFiniteError as error:
            raise NonFiniteError(f"{error}{hint_at_features(datamodule.graph)}") from error
        except Exception as error:
            if self.ckpt_path is not None and not self._random_state.in_use:
                raise CheckpointError(
                    f"ckpt_path {self.ckpt_path} cannot be continued: {describe(error)}"
                ) from error
            if self.trainer.world_size > 1 and is_lost_process(error):
                raise LostProcessError(self._lost(error)) from error
            raise
        seconds = time.perf_counter() - before
        if self._run is not None:
            self._finish(self._run, seconds)

    def _try(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Print what a training would take; several devices are not tried."""
        plan, trial = plan_training(model, datamodule.graph), Trial()
        if self.trainer.world_size == 1:
            self.trainer.callbacks.append(trial)  # type: ignore[attr-defined]
            self.trainer.fit(model, datamodule=datamodule)
        if is_first():
            place = self.options["run_dir"] or experiment_folder(self.options) / "version_N"
            print(plan_table(plan, self.trainer.max_epochs, trial, str(place)))

    def _lost(self, error: Exception) -> str:
        saved = self._run is not None and self._run.last.is_file()
        again = f"qgnn fit {self._run.how_to_continue}" if self._run and saved else "qgnn fit"
        return f"another process of this run has ended; go on with: {again} ({error})"

    def _say_how_to_go_on(self, stop: Stopped) -> None:
        if not is_first():
            return
        then = "no checkpoint was written"
        if self._run is not None and self._run.last.is_file():
            then = (
                f"go on with: qgnn fit {self._run.how_to_continue}, or with the same command and "
                f"--run_dir {self._run.path} --resume auto"
            )
        print(f"qgnn fit: stopped by {stop.name}; {then}", file=sys.stderr)

    def _finish(self, run: RunDirectory, seconds: float) -> None:
        """Test the best epoch, write and print the results."""
        if self._best is None or not self._best.found:
            if is_first():
                self._say("nothing to test: no best epoch was kept")
            return
        epochs = self.trainer.current_epoch
        for logger in self.trainer.loggers:
            logger.log_metrics({BEST_ACCURACY: self._best.score}, self.trainer.global_step)
        self.trainer.test(
            self.model,
            datamodule=self.datamodule,
            ckpt_path=run.best,
            verbose=False,
            weights_only=True,
        )
        if not is_first():
            ignore_requeuing()
            return
        results = {"best_epoch": self._best.epoch, "epochs": epochs, **self._results(seconds)}
        data = self.datamodule
        write_json(evaluation(self.model.network, data.graph, data.class_names), run.evaluation)
        write_json(results, run.results, indent=2)
        ignore_requeuing()
        self._say(results_table(results))
        self._say(f"results        {run.results}")
        if self._export is not None:
            self._write_packed(self._export, run)
        self._say(f"report         qgnn report {run.path}")
        curves = run.path.parent if self.options["run_dir"] is None else run.path
        self._say(f"curves         tensorboard --logdir {curves}")

    def _write_packed(self, export: PackedExport, run: RunDirectory) -> None:
        """Pack the network that was tested; its results are written already."""
        try:
            export.write(self.model.network)
        except OSError as error:
            raise OSError(
                f"export {export.path} cannot be written: {error.strerror}; the results are in "
                f"{run.results}, pack later with: qgnn export {run.best} -o FILE"
            ) from error
        self._say(f"packed         {export.path}")

    def _say(self, text: str) -> None:
        """Print, unless nothing is to be said."""
        if not self._quiet:
            print(text, flush=True)

    def _results(self, seconds: float) -> dict[str, Any]:
        network = self.model.network.eval()
        summary = network_summary(network)
        return {
            "accuracy": split_accuracies(network, self.datamodule.graph),
            "data": graph_summary(self.datamodule.graph, self.datamodule.title),
            **summary,
            "size_bytes": {**summary["size_bytes"], "file": file_size(network)},
            "seconds": {"fit": seconds, "total": time.perf_counter() - self._started},
            "seed": self.options["seed_everything"],
            **environment(),
            "config": self.plain_config,
            "diagnostics": self._diagnostics(),
        }

    @torch.no_grad()
    def _diagnostics(self) -> dict[str, Any]:
        """What the observers see in the tested network."""
        subject = Subject(self.model.network.eval(), self.datamodule.graph)
        return measure_all(self.trainer.callbacks, subject)  # type: ignore[attr-defined]

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
            ckpt_path=self.ckpt_path,
            verbose=False,
            weights_only=True,
        )
        if is_first():
            print(metrics_table(metrics))

    def before_predict(self) -> None:
        """Refuse a file that cannot be written before anything is computed."""
        prediction_writer(self._output)
        if not self._output.parent.is_dir():
            raise UsageError(f"--output: there is no folder {self._output.parent}")

    @cached_property
    def _output(self) -> Path:
        given = self.options["output"]
        if given is not None:
            return Path(given).expanduser()
        assert self.ckpt_path is not None
        run = RunDirectory.of_checkpoint(Path(self.ckpt_path))
        return (Path() if run is None else run.path) / "predictions.csv"

    def predict(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Write the predictions.

        Args:
            model: The model.
            datamodule: The data.
        """
        predictions = self.trainer.predict(
            model, datamodule=datamodule, ckpt_path=self.ckpt_path, weights_only=True
        )
        assert predictions is not None
        names = datamodule.names
        rows = write_predictions(predictions, self._output, names)  # type: ignore[arg-type]
        print(f"{rows:,} predictions in {self._output}")
