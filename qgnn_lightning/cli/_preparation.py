"""From options to a model, its data and a trainer, checked before anything is written."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Timer

from qgnn_lightning.cli._command_line import CommandLine
from qgnn_lightning.cli._output_files import check_output_file
from qgnn_lightning.cli._packed import trained_network
from qgnn_lightning.cli._processes import is_first
from qgnn_lightning.cli._refusals import made_of_options, named_in_full
from qgnn_lightning.cli._run_place import make_run_directory, named_directory, take_over
from qgnn_lightning.cli._started_run import check_continues, check_started_with
from qgnn_lightning.deploy import check_packable
from qgnn_lightning.run import (
    BestCheckpoint,
    CheckpointFiles,
    DataArguments,
    EpochProgress,
    LastCheckpoint,
    OtherRunError,
    PackedExport,
    RandomState,
    RunDirectory,
    RunLogger,
    StopOnSignal,
    TrainedNetworks,
    best_epoch,
    check_memory,
    make_blueprint,
    named_memory,
)
from qgnn_lightning.storage import atomic_path

#: Numbers in a hidden layer below which a second thread costs more than it brings: on Cora with
#: 64 hidden features (173,000) two threads took 20 s to train, and one 17.6 s.
_LARGE_ENOUGH_FOR_THREADS = 2**20


class Preparation(CommandLine):
    """Makes the directory of the run, the trainer, the data and the network, and checks them.

    Args:
        arguments: The command and its options.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._run: RunDirectory | None = None
        self._best: BestCheckpoint | None = None
        self._export: PackedExport | None = None
        self._random_state = RandomState()
        self._timer = Timer()
        with ExitStack() as self._until_the_end:
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
            with named_memory(self.model), named_in_full(self.options):
                self._load_data()
            if self.subcommand == "fit":
                self._check_network()
            if self._run is not None and is_first():
                self._hold(self._run)
                take_over(self._run, self.options, self._checkpoint, self.stored_step)
                self._write_config(self._run)
        except BaseException:
            if self._run is not None and is_first():
                self._run.discard_if_unused()
            raise

    def _hold(self, run: RunDirectory) -> None:
        try:
            self._until_the_end.enter_context(run.held())
        except OtherRunError:
            self._run = None  # nothing in it is ours to remove
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
        if self.subcommand == "fit":
            self._check_export()
        plugins = self._get(self.config_init, "trainer")["plugins"] or []
        given = plugins if isinstance(plugins, list) else [plugins]
        files = CheckpointFiles() if self.subcommand == "fit" else TrainedNetworks()
        kwargs["plugins"] = [*given, files]
        if self.subcommand != "fit" or self._leaves_nothing:
            kwargs |= {"logger": False, "callbacks": self._callbacks()}
            if self._dry_run:
                kwargs |= {"enable_checkpointing": False, "min_epochs": None, "min_steps": None}
        else:
            self._check_teacher()
            if self.options["resume"] == "auto":
                check_started_with(named_directory(self.options), self.plain_config)
            elif self._checkpoint is not None:
                check_continues(self._checkpoint, self.plain_config)
            self._run = make_run_directory(self.options, self._checkpoint)
            kwargs |= self._run_arguments(self._run)
        return super().instantiate_trainer(**kwargs)

    def _check_export(self) -> None:
        """Refuse a packed file that could not be written; the run's directory may be made yet."""
        path, run = self._export_path, self.options["run_dir"]
        in_run = None if run is None else Path(run).expanduser().absolute()
        if path is not None and path.parent.absolute() != in_run:
            check_output_file("--export", path)

    @property
    def _leaves_nothing(self) -> bool:
        """Whether a training makes no directory."""
        return bool(self.options["trainer"]["fast_dev_run"] or self._dry_run)

    @property
    def _dry_run(self) -> bool:
        return self.subcommand == "fit" and bool(self.options["dry_run"])

    @property
    def _export_path(self) -> Path | None:
        given = self.options["export"]
        return None if given is None else Path(given).expanduser()

    @property
    def _quiet(self) -> bool:
        return self.subcommand == "fit" and bool(self.options["quiet"])

    def _load_data(self) -> None:
        """Load the data before anything is started, as the trainer would."""
        self.datamodule.trainer = self.trainer
        if self._stored_classes is not None:
            self.datamodule.take_classes(self._stored_classes)
        self.datamodule.prepare_data()
        self.datamodule.setup(self.subcommand)
        width = max(self.options["model"]["hidden_features"], self.datamodule.num_classes)
        if self.datamodule.num_nodes * width < _LARGE_ENOUGH_FOR_THREADS:
            torch.set_num_threads(1)

    def _check_network(self) -> None:
        """Refuse options that make no network for these data, or none that there is memory for."""
        with made_of_options(self.options):
            self.model.take_sizes(self.datamodule)
            blueprint = make_blueprint(self.model)
            blueprint.configure_optimizers()
        check_memory(blueprint)
        if self._export is not None:
            network = blueprint.network.to_empty(device="cpu")  # multipliers of any value
            with made_of_options(self.options):
                check_packable(network)

    def _run_arguments(self, run: RunDirectory) -> dict[str, Any]:
        """Arguments of the trainer that belong to a directory."""
        wanted = self._get(self.config_init, "trainer")
        callbacks = self._callbacks()
        callbacks += [self._timer, self._random_state, DataArguments(self.plain_config["data"])]
        callbacks.append(StopOnSignal())
        if wanted["enable_checkpointing"] is not False:
            before = self._checkpoint
            kept = None if before is None else best_epoch(run.best_before(before))
            self._best = BestCheckpoint(run.best, kept_epoch=kept)
            # An epoch over a large graph is long.
            often = self.options["data"]["batching"] != "full"
            callbacks += [self._best, LastCheckpoint(run.last, 1 if often else 25)]
            if self._export_path is not None:
                self._export = PackedExport(self._export_path)
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
            trained_network(Path(teacher), "--model.teacher_ckpt")

    def _write_config(self, run: RunDirectory) -> None:
        with atomic_path(run.config) as file:
            file.write_text(self.dump("yaml"), encoding="utf-8")
