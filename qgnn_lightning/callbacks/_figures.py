"""Pictures of the propagation at the end of a training."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from qgnn_lightning.callbacks._observer import Observer, Subject
from qgnn_lightning.callbacks._oversmoothing import measure_smoothness
from qgnn_lightning.callbacks._quantization_error import has_bound
from qgnn_lightning.callbacks._run_log import log_step, run_directory, tensorboard_writers
from qgnn_lightning.nn import DeltaSigmaMessages, error_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Figures(Observer):
    """Draws the smoothness and the quantization error by step, when the training has ended.

    Saves ``smoothness.png`` and, where a bound is known, ``quantization_error.png`` in
    ``figures/`` of the run directory and shows them among TensorBoard's images. Needs
    matplotlib (the extra ``viz``); without it, or without a logger, nothing is drawn.
    """

    def __init__(self) -> None:
        super().__init__(every_n_epochs=None)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        if find_spec("matplotlib") is None:
            rank_zero_info("Figures: matplotlib is not installed (extra 'viz'), nothing is drawn")

    def observe(self, trainer: Trainer, subject: Subject) -> None:
        directory = run_directory(trainer)
        if directory is None or find_spec("matplotlib") is None:
            return
        from qgnn_lightning.callbacks._drawing import save

        writers = tensorboard_writers(trainer)
        for name, figure in _draw(trainer, subject):
            pixels = save(figure, directory / "figures" / f"{name}.png")
            for writer in writers:
                writer.add_image(f"figures/{name}", pixels, log_step(trainer), dataformats="HWC")


def _draw(trainer: Trainer, subject: Subject) -> Iterator[tuple[str, Figure]]:
    from qgnn_lightning.callbacks._drawing import draw_error, draw_smoothness

    caption = _caption(trainer, subject)
    if subject.adjacency.symmetric:
        yield "smoothness", draw_smoothness(measure_smoothness(subject), caption)
        if subject.has_propagation and has_bound(subject.propagation):
            bound = error_bound(subject.propagation, subject.start, subject.adjacency)
            yield "quantization_error", draw_error(bound, caption)


def _caption(trainer: Trainer, subject: Subject) -> str:
    hparams = trainer.lightning_module.hparams
    if not subject.has_propagation:
        return (
            f"{hparams['bits']}, {hparams['architecture']}, K = {subject.network.num_steps}, "
            f"after {trainer.global_step} optimizer steps"
        )
    delta_sigma = isinstance(subject.propagation.messages, DeltaSigmaMessages)
    return (
        f"{hparams['bits']}, {hparams['propagation'].replace('_', ' ')}, "
        f"{'delta-sigma' if delta_sigma else 'direct'} messages, "
        f"K = {subject.propagation.num_steps}, after {trainer.global_step} optimizer steps"
    )
