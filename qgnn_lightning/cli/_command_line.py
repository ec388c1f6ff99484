"""The options of the command line, on Lightning's command line interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jsonargparse import Namespace
from jsonargparse.typing import restricted_number_type
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from qgnn_lightning.callbacks import (
    ConstraintMonitor,
    Figures,
    Histograms,
    Oversmoothing,
    QuantizationError,
    TensorBoardLayout,
)
from qgnn_lightning.cli._agreement import check_agreement, check_schedule
from qgnn_lightning.cli._config_files import read_config
from qgnn_lightning.cli._errors import UsageError
from qgnn_lightning.cli._experiment_name import graph_name
from qgnn_lightning.cli._help import format_topic, help_topic
from qgnn_lightning.cli._parser import CommandParser, with_suggestion
from qgnn_lightning.cli._prediction_options import add_predictions
from qgnn_lightning.cli._refusals import made_of_options
from qgnn_lightning.cli._run_place import named_directory
from qgnn_lightning.cli._stored_arguments import (
    check_drawn,
    check_epochs,
    check_network,
    check_progress,
    check_teacher_is_named,
    epochs_done,
    load_checkpoint,
    model_arguments,
    trained_classes,
)
from qgnn_lightning.cli._trainer_options import check_accelerator, check_trainer
from qgnn_lightning.data import GraphDataModule, TrainedClasses
from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import DataArguments, RunDirectory

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
#: Parts of the configuration of a run that only a training needs.
SECTIONS_OF_TRAINING = ("model", "trainer", "seed_everything", "observers", *_OBSERVERS)
_USED_CHECKPOINT = "Checkpoint that is used"
_CHECKPOINT = {
    "fit": "Checkpoint that is continued.",
    "validate": f"{_USED_CHECKPOINT}.",
    **dict.fromkeys(
        ("test", "predict"), f"{_USED_CHECKPOINT}; --packed FILE takes a packed network instead."
    ),
}
_NAMES_OF_DATA = ("source", "name")
_OF_SPLIT = ("split", "split_seed", "num_train_per_class", "num_val", "num_test")
_SIZES_OF_DATA = ("num_features", "num_classes")
#: Belong to one run only.
_OF_ONE_RUN = ("config", "ckpt_path", "run_dir", "output", "export", "resume", "quiet", "dry_run")


class CommandLine(LightningCLI):
    """The options of ``fit``, ``validate``, ``test`` and ``predict``, and what they come to.

    Options on the command line win over configuration files, these over what a checkpoint
    holds, and that over the defaults.

    Args:
        arguments: The command and its options.
    """

    model: NodeClassifier
    datamodule: GraphDataModule

    def __init__(self, arguments: list[str]) -> None:
        self._command = arguments[0]
        self.stored_step = 0  # of the checkpoint to go on from
        self._checkpoint_name = ""  # as errors call it
        self.stored_epochs: int | None = None
        self._stored_classes: TrainedClasses | None = None
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
            "--observers",
            type=bool,
            default=True,
            help="Whether energy, quantization error, "
            "multipliers and figures are recorded while training; without, it is faster.",
        )
        for name, observer in _OBSERVERS.items():
            parser.add_lightning_class_args(observer, name)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        if subcommand != self._command:  # its options are not needed, and take time
            self._subcommand_method_arguments[subcommand] = []
            return self.init_parser(**kwargs)
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        parser.add_argument(
            "--ckpt_path", type=str | None, default=None, help=_CHECKPOINT[subcommand]
        )
        if subcommand == "fit":
            parser.add_argument(
                "--run_dir",
                type=str | None,
                default=None,
                help="Directory of the run; by default runs/DATA_BITS/version_N, where DATA "
                "is the graph's name, or source and folder of your own files.",
            )
            parser.add_argument(
                "--resume",
                type=Literal["never", "auto"],
                default="never",
                help="auto: continue from the last checkpoint in run_dir, or start where there "
                "is none.",
            )
            parser.add_argument(
                "--export",
                type=str | None,
                default=None,
                help="Packed network of the best epoch, written at the end; a .safetensors file.",
            )
            parser.add_argument("--quiet", action="store_true", help="Print nothing but errors.")
            parser.add_argument(
                "--dry_run",
                action="store_true",
                help="Print what would be trained, its sizes and the time it takes; train nothing.",
            )
        if subcommand == "predict":
            default = "predictions.csv in the directory of the run"
            add_predictions(parser, None, f"{default}, or in the current folder without one")
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; what was typed is kept apart from defaults."""
        topic = help_topic(args)
        if topic is not None:
            print(format_topic(self._subcommand_parsers[args[0]], args[0], topic), end="")
            raise SystemExit(0)
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
        option = "--ckpt_path"
        if command == "fit" and self.config[command]["resume"] == "auto":
            self._find_last_checkpoint()
            option = "checkpoint"
        path = self.config[command]["ckpt_path"]
        if path is None:
            if command != "fit":
                packed = "" if command == "validate" else ", or --packed: a packed one"
                raise UsageError(
                    f"--ckpt_path is needed: the checkpoint of a trained network{packed}"
                )
            return
        checkpoint = load_checkpoint(Path(path), option)
        self._checkpoint_name = name = f"{option} {path}"
        self.stored_step = checkpoint["global_step"]
        model, data = model_arguments(checkpoint, name), DataArguments.stored(checkpoint)
        typed = self._typed_section("model")
        check_agreement(model, typed)
        teacher = model.pop("teacher_ckpt", None)
        if command == "fit":
            check_schedule(model, typed)
            self._take_seed(Path(path), name)
            check_progress(checkpoint, name)
            self.stored_epochs = epochs_done(checkpoint)
            check_epochs(self.stored_epochs, self.config[command]["trainer"]["max_epochs"], name)
            if teacher is not None:
                check_teacher_is_named(typed, name)
        stored = {"model": _without(model, typed), "data": self._stored_data(data)}
        check_drawn(stored["data"], self._typed_section("data"), name)
        try:
            self.config = self.parser.parse_object({command: stored}, self.config)
        except UsageError as error:
            raise UsageError(f"{name} holds a wrong argument: {error}") from error
        check_network(model, checkpoint["state_dict"], name)
        self._stored_classes = trained_classes(checkpoint, name)

    def _take_seed(self, checkpoint: Path, name: str) -> None:
        """Take the seed that a run was started with, as its random state goes on."""
        run = RunDirectory.of_checkpoint(checkpoint)
        if run is None:
            return
        seed = read_config(run.config).get("seed_everything")
        typed = self._typed.get("seed_everything")
        if seed is not None and typed not in (None, seed):
            raise UsageError(
                f"--seed_everything is {typed}, but {name} is of a run that was started with "
                f"{seed}: leave the option away, or train anew"
            )
        if seed is not None:
            self.config["fit"]["seed_everything"] = seed

    def _find_last_checkpoint(self) -> None:
        options = self.config["fit"]
        if options["run_dir"] is None:
            raise UsageError("--resume auto needs --run_dir, the directory of the run")
        if options["ckpt_path"] is not None:
            raise UsageError("--resume auto finds the checkpoint itself: leave out --ckpt_path")
        last = named_directory(options).last
        if last.is_file():
            options["ckpt_path"] = str(last)

    def _typed_section(self, name: str) -> dict[str, Any]:
        section = self._typed.get(name)
        return {} if section is None else dict(vars(section))

    def _stored_data(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the data that were not typed; none for another data set.

        Another graph of the user's own is prepared as the first one was, but has its own split.
        """
        typed, before = self._typed_section("data"), stored.get("root")
        other = any(name in typed and typed[name] != stored.get(name) for name in _NAMES_OF_DATA)
        if other:
            return {}
        stored = _without(stored, typed)
        both = {"source": None, "name": None, "root": None, **stored, **typed}
        if "root" in typed and graph_name(both) != graph_name({**both, "root": before}):
            stored = {name: value for name, value in stored.items() if name not in _OF_SPLIT}
        return stored

    def instantiate_classes(self) -> None:
        """Make the data module, the model and the trainer; values that they refuse are wrong."""
        check_accelerator(self.options["trainer"]["accelerator"])
        if self.subcommand == "fit":
            check_trainer(self.options["trainer"])
        with made_of_options(self.options):
            super().instantiate_classes()

    def _set_seed(self) -> None:
        seed_everything(self.options["seed_everything"], workers=True, verbose=False)

    @property
    def options(self) -> Namespace:
        """All options of the command."""
        return self.config[self.config["subcommand"]]

    @property
    def kept_options(self) -> Namespace:
        """The options that another run can be started with."""
        options = self.options.clone()
        for name in _OF_ONE_RUN:
            options.pop(name, None)
        for name in _SIZES_OF_DATA:  # of a checkpoint, and not typed
            if self._typed_section("model").get(name) is None:
                options["model"][name] = None
        return options

    def dump(self, style: Literal["yaml", "json"]) -> str:
        """The kept options as text.

        Args:
            style: The format.
        """
        parser = self._parser(self.subcommand)
        text: str = parser.dump(self.kept_options, format=style, skip_unset=False)
        return text

    @property
    def ckpt_path(self) -> str | None:
        """The checkpoint that is continued or used."""
        path: str | None = self.options["ckpt_path"]
        return path


def _without(arguments: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    given = {name for name, value in typed.items() if value is not None}
    return {name: value for name, value in arguments.items() if name not in given}
