"""The LightningModule: descent on parameters and embeddings, ascent on the multipliers."""

from __future__ import annotations

import pickle
from typing import Any, Literal, NamedTuple, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from qgnn_lightning.baselines import make_network
from qgnn_lightning.data import GraphBatch, Stage
from qgnn_lightning.errors import OptionError
from qgnn_lightning.nn import (
    GraphNetwork,
    NetworkConfig,
    PropagatingNetwork,
    PropagationConfig,
    SmoothnessAwarePropagation,
    change_rates,
    parameter_groups,
)
from qgnn_lightning.objectives import (
    check_finite_loss,
    check_finite_state,
    check_training_options,
    consistency_loss,
    distillation_loss,
)
from qgnn_lightning.quantization import QuantizerName, make_precision, synchronize

_NO_LABEL = -1


class Prediction(NamedTuple):
    """Probability of each class; a tuple, which Lightning can move between devices.

    Shapes:
        node_ids: ``(num_nodes,)``; probabilities: ``(num_nodes, num_classes)``.
    """

    node_ids: Tensor
    probabilities: Tensor


#: Passes whose agreement is learned.
_NUM_VIEWS = 2


class NodeClassifier(LightningModule):
    r"""Trains a quantized deep graph neural network to classify nodes.

    The optimizer descends on the weights and the learned ranges, the forward pass on the
    embeddings, and after every optimizer step the multipliers of the similarity constraint
    ascend by the violation that the step's forward pass measured (averaged over all devices).

    Args:
        bits: Preset of the bits per stage: ``float32``, ``int8``, ``int4``, ``int2`` or
            ``int2-paper``.
        stage_bits: Bits of single stages, 1 to 8 or 32, which override the preset's. What is to be
            packed needs 2, 4 or 8.
        hidden_features: Width of the hidden layer.
        dropout: Probability to drop a quantized feature of a linear layer, in [0, 1).
        order: ``encode``: to class scores, then propagate; ``embed``: propagate hidden
            features, then classify.
        quantizer: How activations and messages are quantized: ``least_squares``,
            ``learned_range`` (QLR), ``min_max``, ``lsq``, ``degree_quant``,
            ``bitwise_truncation`` (BT) or ``skewness_truncation`` (BT*).
        weight_quantizer: How weights are quantized; the same choices.
        input_quantizer: How input features are quantized; the same choices, by default that of
            the weights.
        per_channel_weights: Whether each output feature has a range of weights of its own.
        range_momentum: Weight of the newest range of the data in the tracked one, in (0, 1].
        propagation: ``smoothness_aware``, ``unrolled_multiplier``, ``released_code``,
            ``personalized`` or ``powers``.
        messages: ``direct``, ``delta_sigma``, or ``auto``: delta-sigma below 8 bits.
        num_steps: Propagation steps :math:`K`, or layers (``gcn``, ``gcnii``), at least 1.
        smoothing: Weight :math:`\mu` of the smoothness.
        step_size: Step :math:`\eta` of the descent on the embeddings.
        restart: Weight of the input in every step (``personalized``, ``appnp``, ``gcnii``).
        budget: Limit of the energy of the change per step.
        budget_unit: ``input_energy``, a fraction of the input's energy, or ``per_edge``.
        dual_step_size: Step of the ascent on the multipliers.
        residual_bits: Bits of the stored residual of delta-sigma messages, 8 or 16.
        architecture: ``decoupled``: two linear layers and the ``propagation``; or a baseline:
            ``gcn``, ``appnp``, ``sgc``, or in full precision only ``gcnii``, ``elastic``.
        residual: Whether each hidden layer adds its input (``gcn``).
        identity_mapping: How much the layers differ from the identity (``gcnii``).
        sparsity: Weight of the norm of the neighbours' differences (``elastic``).
        learning_rate: Learning rate of the weights.
        weight_decay: L2 penalty on the weights; the ranges have none.
        part_weight_decay: L2 penalties on the weights of single parts of the network, by name,
            which override ``weight_decay``.
        range_learning_rate: Learning rate of the learned ranges.
        lr_decay: Factor on all learning rates every ``lr_decay_every`` epochs, in (0, 1].
        lr_decay_every: Epochs between two decays.
        teacher_ckpt: Checkpoint of a full-precision twin whose class probabilities, on all
            nodes, are learned too.
        distillation_weight: Weight of the teacher in the loss, in [0, 1].
        temperature: Softens the teacher's probabilities, positive.
        consistency: Weight of the agreement of two passes with different dropout, on all nodes,
            in the loss; 0 makes one pass.
        sharpening: Temperature, in (0, 1], that makes what the passes agree on surer.
        num_features: Size of the input; by default what the data say.
        num_classes: Number of classes; by default what the data say.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        bits: Literal["float32", "int8", "int4", "int2", "int2-paper"] = "int2",
        stage_bits: dict[str, int] | None = None,
        hidden_features: int = 64,
        dropout: float = 0.5,
        order: Literal["encode", "embed"] = "encode",
        quantizer: QuantizerName = "least_squares",
        weight_quantizer: QuantizerName = "learned_range",
        input_quantizer: QuantizerName | None = None,
        per_channel_weights: bool = True,
        range_momentum: float = 0.1,
        propagation: Literal[
            "smoothness_aware", "unrolled_multiplier", "released_code", "personalized", "powers"
        ] = "smoothness_aware",
        messages: Literal["auto", "direct", "delta_sigma"] = "auto",
        num_steps: int = 10,
        smoothing: float = 9.0,
        step_size: float = 0.1,
        restart: float = 0.1,
        budget: float = 2.0,
        budget_unit: Literal["input_energy", "per_edge"] = "input_energy",
        dual_step_size: float = 0.1,
        residual_bits: Literal[8, 16] = 16,
        architecture: Literal["decoupled", "gcn", "gcnii", "appnp", "sgc", "elastic"] = "decoupled",
        residual: bool = False,
        identity_mapping: float = 0.5,
        sparsity: float = 3.0,
        learning_rate: float = 0.01,
        weight_decay: float = 5e-4,
        part_weight_decay: dict[str, float] | None = None,
        range_learning_rate: float = 0.01,
        lr_decay: float = 1.0,
        lr_decay_every: int = 50,
        teacher_ckpt: str | None = None,
        distillation_weight: float = 0.5,
        temperature: float = 2.0,
        consistency: float = 0.0,
        sharpening: float = 0.5,
        num_features: int | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        check_training_options(self.hparams)
        self.network_config = NetworkConfig(
            hidden_features=hidden_features,
            dropout=dropout,
            order=order,
            precision=make_precision(bits, stage_bits),
            quantizer=quantizer,
            weight_quantizer=weight_quantizer,
            input_quantizer=input_quantizer,
            per_channel_weights=per_channel_weights,
            momentum=range_momentum,
            propagation=PropagationConfig(
                propagation=propagation,
                messages=messages,
                num_steps=num_steps,
                smoothing=smoothing,
                step_size=step_size,
                restart=restart,
                budget=budget,
                budget_unit=budget_unit,
                dual_step_size=dual_step_size,
                residual_bits=residual_bits,
            ),
            architecture=architecture,
            residual=residual,
            identity_mapping=identity_mapping,
            sparsity=sparsity,
        )
        self.network: GraphNetwork
        self._teacher: list[NodeClassifier] = []  # in a list: not a part of this module's state
        if num_features is not None and num_classes is not None:
            self._build(num_features, num_classes)

    def configure_model(self) -> None:
        """Build the network for the sizes of the data, where they were not given.

        Raises:
            ValueError: If the data contradict the sizes that were given.
        """
        data = None if self._trainer is None else getattr(self.trainer, "datamodule", None)
        if data is None:
            if not hasattr(self, "network"):
                raise ValueError(
                    "num_features and num_classes must be given where there is no data module"
                )
            return
        self.take_sizes(data)
        if not hasattr(self, "network"):
            self._build(data.num_features, data.num_classes)

    def take_sizes(self, data: Any) -> None:
        """Take the sizes of the data, where they were not given.

        Args:
            data: The data module, set up.

        Raises:
            ValueError: If the data contradict the sizes that were given.
        """
        for name in ("num_features", "num_classes"):
            given, found = self.hparams[name], getattr(data, name)
            if not found:
                continue  # of data to predict from, only a trained network knows the classes
            if given is not None and given != found:
                raise ValueError(f"{name} is {given} in the model but {found} in the data")
            self.hparams[name] = found

    def _build(self, num_features: int, num_classes: int) -> None:
        self.network = make_network(num_features, num_classes, self.network_config)
        self.accuracies = nn.ModuleDict(
            {
                f"{split}_accuracy": MulticlassAccuracy(
                    num_classes, average="micro", ignore_index=_NO_LABEL
                )
                for split in ("train", "val", "test")
            }
        )

    def forward(self, x: Tensor, graph: Any) -> Tensor:
        """Class scores; see :class:`~qgnn_lightning.nn.GraphNetwork`."""
        scores: Tensor = self.network(x, graph)
        return scores

    def training_step(self, batch: GraphBatch, batch_idx: int) -> Tensor:
        """Cross-entropy on the training nodes; teacher and consistency on all of them."""
        hparams = self.hparams
        num_views = _NUM_VIEWS if hparams["consistency"] else 1
        views = self.network.views(batch.x, batch.adjacency, num_views)
        loss = self._evaluate(batch, views, "train")
        if self._teacher:
            with torch.no_grad():
                teacher = self._teacher[0](batch.x, batch.adjacency)
            weight = hparams["distillation_weight"]
            distillation = distillation_loss(views[0], teacher, hparams["temperature"])
            loss = (1 - weight) * loss + weight * distillation
        if hparams["consistency"]:
            disagreement = consistency_loss(views, hparams["sharpening"])
            loss = loss + hparams["consistency"] * disagreement
        check_finite_loss(loss, self.network, self.global_step)
        if self.trainer.world_size > 1:
            # DDP waits for a gradient of every parameter; not every step uses all ranges.
            loss = loss + 0 * sum(parameter.sum() for parameter in self.network.parameters())
        return loss

    def validation_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Loss and accuracy on the validation nodes."""
        self._evaluate_once(batch, "val")

    def test_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Loss and accuracy on the test nodes."""
        self._evaluate_once(batch, "test")

    def predict_step(self, batch: GraphBatch, batch_idx: int) -> Prediction:
        """Probability of each class for every node."""
        return Prediction(batch.node_ids, self(batch.x, batch.adjacency).softmax(1))

    def _evaluate_once(self, batch: GraphBatch, split: Stage) -> None:
        """The first process evaluates the whole graph, the others count no node."""
        if self.trainer.is_global_zero:
            self._evaluate(batch, self(batch.x, batch.adjacency)[None], split)
        else:
            none = batch.x.new_empty(1, 0, self.hparams["num_classes"])
            self._score(none, batch.y[:0], split)

    def _evaluate(self, batch: GraphBatch, views: Tensor, split: Stage) -> Tensor:
        mask = batch.mask(split)
        return self._score(views[:, mask], batch.y[mask], split)

    def _score(self, views: Tensor, labels: Tensor, split: Stage) -> Tensor:
        """Log the mean loss of the views and the accuracy of the first; no node costs nothing."""
        metric = cast(Metric, self.accuracies[f"{split}_accuracy"])
        if labels.numel():
            loss = functional.cross_entropy(views.flatten(0, 1), labels.repeat(len(views)))
            metric(views[0], labels)
        else:
            loss = views.sum()
            metric(views.new_zeros(1, views.shape[2]), labels.new_full((1,), _NO_LABEL))
        values: dict[str, Tensor | Metric] = {f"{split}/loss": loss, f"{split}/accuracy": metric}
        self.log_dict(
            values,
            on_step=False,
            on_epoch=True,
            prog_bar=split != "train",
            batch_size=labels.numel(),
            sync_dist=self.trainer.world_size > 1,
        )
        return loss

    def on_fit_start(self) -> None:
        """Load the teacher, where there is one."""
        path = self.hparams["teacher_ckpt"]
        if path is None or self._teacher:
            return
        try:
            teacher = NodeClassifier.load_from_checkpoint(
                path, map_location=self.device, weights_only=True
            )
        except (OSError, EOFError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
            raise ValueError(
                f"teacher_ckpt must be a checkpoint of a NodeClassifier, {path} is none"
            ) from error
        for name in ("num_features", "num_classes"):
            if teacher.hparams[name] != self.hparams[name]:
                raise OptionError(
                    f"teacher_ckpt has {name} {teacher.hparams[name]}, the data have "
                    f"{self.hparams[name]}: {path}"
                )
        self._teacher.append(teacher.eval().requires_grad_(False))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One descent step, then one ascent step on the multipliers.

        Over several processes, all go on with the same ranges and multipliers.
        """
        super().optimizer_step(*args, **kwargs)
        if self.trainer.world_size > 1:
            synchronize(self.network)
        if not isinstance(self.network, PropagatingNetwork):
            return
        propagation = self.network.propagation
        if isinstance(propagation, SmoothnessAwarePropagation):
            if self.trainer.world_size > 1:
                mean = self.trainer.strategy.reduce(propagation.violation, reduce_op="mean")
                propagation.violation.copy_(torch.as_tensor(mean))
            propagation.ascend()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam with groups for the weights and one, without decay, for the ranges.

        Raises:
            ValueError: If ``part_weight_decay`` names no part of the network.
        """
        hparams = self.hparams
        optimizer = torch.optim.Adam(
            parameter_groups(
                self.network,
                learning_rate=hparams["learning_rate"],
                weight_decay={"": hparams["weight_decay"], **(hparams["part_weight_decay"] or {})},
                range_learning_rate=hparams["range_learning_rate"],
            )
        )
        if hparams["lr_decay"] == 1:
            return optimizer
        schedule = torch.optim.lr_scheduler.StepLR(
            optimizer, hparams["lr_decay_every"], hparams["lr_decay"]
        )
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the learning rates and the penalty of now, where they are others."""
        change_rates(checkpoint, checkpoint["hyper_parameters"], self.hparams)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the checkpoint before, where the network is broken.

        Raises:
            NonFiniteError: If a weight or a range is NaN or infinite.
        """
        check_finite_state(self.network, self.global_step)
