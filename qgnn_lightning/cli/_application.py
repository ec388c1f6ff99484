"""The commands: from options to a trained network, its accuracy or its predictions."""

from __future__ import annotations

import sys
import time
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from qgnn_lightning.callbacks import BEST_ACCURACY, Subject, measure_all
from qgnn_lightning.cli._continuation import (
    again_after_loss,
    how_to_go_on,
    where_it_goes_on,
)
from qgnn_lightning.cli._errors import describe
from qgnn_lightning.cli._prediction_options import check_output
from qgnn_lightning.cli._preparation import Preparation
from qgnn_lightning.cli._processes import (
    LostProcessError,
    is_first,
    is_lost_process,
    take_leave,
)
from qgnn_lightning.cli._quiet import quiet
from qgnn_lightning.cli._refusals import with_full_names
from qgnn_lightning.cli._remarks import hint_at_features, note, remarks_on_training
from qgnn_lightning.cli._report import metrics_table, plan_table, results_table
from qgnn_lightning.cli._run_place import experiment_folder
from qgnn_lightning.data import GraphDataModule
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.objectives import NonFiniteError
from qgnn_lightning.run import (
    CheckpointError,
    PackedExport,
    RunDirectory,
    RunLogger,
    Stopped,
    Trial,
    environment,
    evaluation,
    file_size,
    graph_summary,
    ignore_requeuing,
    named_memory,
    network_summary,
    plan_training,
    split_accuracies,
    write_json,
    write_predictions,
)

#: What Python raises where a value is not of the kind that a library takes it for.
_OF_UNCHECKED_VALUES = (ArithmeticError, AttributeError, LookupError, TypeError)


def run(arguments: list[str], started: float) -> None:
    """Run a command.

    Args:
        arguments: The command and its options.
        started: When the program was started, by ``time.perf_counter``.
    """
    with quiet():
        Application(arguments, started)


class Application(Preparation):
    """``fit``, ``validate``, ``test`` and ``predict`` for :class:`NodeClassifier`.

    Args:
        arguments: The command and its options.
        started: When the program was started, by ``time.perf_counter``.
    """

    def __init__(self, arguments: list[str], started: float) -> None:
        self._started = started
        super().__init__(arguments)

    def _run_subcommand(self, subcommand: str) -> None:
        with named_memory(self.model):
            super()._run_subcommand(subcommand)
        take_leave()

    def fit(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Train, test the best epoch, write the results.

        Args:
            model: The model.
            datamodule: The data.
        """
        if is_first():
            self._announce()
        if self._dry_run:
            self._check_teacher()
            self._try(model, datamodule)
            return
        try:
            self.trainer.fit(
                model, datamodule=datamodule, ckpt_path=self.ckpt_path, weights_only=True
            )
        except Stopped as stop:
            self._say_how_to_go_on(stop)
            take_leave()
            raise
        except NonFiniteError as error:
            raise NonFiniteError(f"{error}{hint_at_features(datamodule.graph)}") from error
        except Exception as error:
            if self.ckpt_path is not None and not self._random_state.in_use:
                why = "it is damaged, or comes from another version"
                if not isinstance(error, _OF_UNCHECKED_VALUES):
                    why = with_full_names(describe(error), self.options)
                raise CheckpointError(
                    f"{self._checkpoint_name} cannot be continued: {why}"
                ) from error
            if self.trainer.world_size > 1 and is_lost_process(error):
                again = again_after_loss(self._run)
                raise LostProcessError(f"{again} ({error})") from error
            raise
        if self._run is not None:
            # Before the test, which reads the times of another checkpoint.
            self._finish(self._run, self._timer.time_elapsed(), self._seconds_of_session())

    def _seconds_of_session(self) -> float:
        """Training time of this session, without that of the sessions it went on with."""
        start, end = self._timer.start_time(), self._timer.end_time()
        return 0.0 if start is None or end is None else end - start

    def _announce(self) -> None:
        if self._run is not None:
            self._say(f"run directory  {self._run.path}")
        if self._run is not None and self.ckpt_path is not None:
            done, wanted = self.stored_epochs, self.trainer.max_epochs
            self._say(where_it_goes_on(done, wanted, self.stored_step))
        for remark in remarks_on_training(self.options, self.datamodule):
            self._say(note(remark))

    def _try(self, model: NodeClassifier, datamodule: GraphDataModule) -> None:
        """Print what a training would take; several devices are not tried."""
        plan, trial = plan_training(model, datamodule.graph, datamodule.names), Trial()
        if self.trainer.world_size == 1:
            self.trainer.callbacks.append(trial)  # type: ignore[attr-defined]
            with TemporaryDirectory() as logs:  # logging takes as long as a step on a small graph
                if self.options["trainer"]["logger"] in (None, True):
                    self.trainer.loggers = [RunLogger(Path(logs) / "run")]
                self.trainer.fit(model, datamodule=datamodule)
        if is_first():
            place = self.options["run_dir"] or experiment_folder(self.options) / "version_N"
            print(plan_table(plan, self.trainer.max_epochs, trial, str(place)))

    def _say_how_to_go_on(self, stop: Stopped) -> None:
        if is_first():
            again = how_to_go_on(self._run, self.options)
            after = f"after epoch {self.trainer.current_epoch} of {self.trainer.max_epochs}"
            print(f"qgnn fit: stopped by {stop.name} {after}; {again}", file=sys.stderr)

    def _finish(self, run: RunDirectory, seconds: float, of_session: float) -> None:
        """Test the best epoch, write and print the results.

        Args:
            run: The directory of the run.
            seconds: Time of its training, in all sessions.
            of_session: Time of the training in this session.
        """
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
        results = {
            "best_epoch": self._best.epoch,
            "epochs": epochs,
            **self._results(),
            "seconds": {
                "fit": seconds,
                "total": seconds - of_session + time.perf_counter() - self._started,
            },
        }
        data = self.datamodule
        write_json(evaluation(self.model.network, data.graph, data.class_names), run.evaluation)
        write_json(results, run.results, indent=2)
        ignore_requeuing()
        self._say(results_table(results))
        self._say(f"results        {run.results}")
        if self._export is not None:
            self._write_packed(self._export, run)
        elif results["size_bytes"]["file"] is not None:
            self._say(f"pack           qgnn export {run.best} -o model.safetensors")
        self._say(f"report         qgnn report {run.path}")
        curves = run.path.parent if run.path.name.startswith("version_") else run.path
        self._say(f"curves         tensorboard --logdir {curves}")

    def _write_packed(self, export: PackedExport, run: RunDirectory) -> None:
        """Pack the network that was tested; its results are written already."""
        try:
            export.write(self.model.network, self.datamodule.names)
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

    def _results(self) -> dict[str, Any]:
        network = self.model.network.eval()
        summary = network_summary(network)
        packed = file_size(network, self.datamodule.names)
        return {
            "accuracy": split_accuracies(network, self.datamodule.graph),
            "data": graph_summary(self.datamodule.graph, self.datamodule.title),
            **summary,
            "size_bytes": {**summary["size_bytes"], "file": packed},
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
        check_output(self._output)

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
        rows = write_predictions(
            predictions,  # type: ignore[arg-type]
            self._output,
            datamodule.names,
            every_class=self.options["every_probability"],
        )
        print(f"{rows:,} predictions in {self._output}")
