"""The parts of a packed network from the tensors and fields of a file, each of them checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from qgnn_lightning import kernels
from qgnn_lightning.deploy._packed_network import PACKED_BITS, PackedLinear, PackedPropagation
from qgnn_lightning.nn import Recurrence
from qgnn_lightning.quantization import Grid


class FieldReader:
    """Makes parts of the tensors and fields of a file; what is wrong is a ``ValueError``.

    Args:
        tensors: All tensors of the file, by name.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()

    def tensor(self, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        """A tensor of a type and shape, all of it finite."""
        if name not in self.tensors:
            raise ValueError(f"tensor {name} is missing")
        tensor = self.tensors[name]
        if tensor.dtype != dtype or tuple(tensor.shape) != shape:
            raise ValueError(
                f"tensor {name} must be {dtype} of shape {shape}, "
                f"got {tensor.dtype} of shape {tuple(tensor.shape)}"
            )
        if dtype.is_floating_point and not bool(tensor.isfinite().all()):
            raise ValueError(f"tensor {name} must be finite")
        self.used.add(name)
        return tensor

    def require_all_used(self) -> None:
        """Refuse tensors that no part was made of."""
        unknown = sorted(set(self.tensors) - self.used)
        if unknown:
            raise ValueError(f"unknown tensor {unknown[0]}")

    def grid(self, name: str, fields: Mapping[str, Any], num_scales: int | None = None) -> Grid:
        """A grid: of a whole tensor, or of the rows of a weight."""
        num_bits, stride, shift = (_whole(fields, key) for key in ("num_bits", "stride", "shift"))
        require(num_bits in PACKED_BITS, f"{name}.num_bits", num_bits)
        require(stride == 1 or (stride == 85 and num_bits == 2), f"{name}.stride", stride)
        require(abs(shift) <= 255 and (shift == 0 or stride == 85), f"{name}.shift", shift)
        count = 1 if num_scales is None else num_scales
        scale = self.tensor(f"{name}_scale", torch.float32, (count,))
        zero_point = self.tensor(f"{name}_zero_point", torch.int16, (count,)).to(torch.float32)
        usable = (scale >= 2.0**-100) & (scale <= 2.0**100)
        require(bool(usable.all()), f"{name}_scale", scale.min().item())
        largest = 255 if stride == 85 else 2**num_bits - 1
        inside = (zero_point >= 0) & (zero_point <= largest)
        require(bool(inside.all()), f"{name}_zero_point", zero_point.tolist()[0])
        shape = () if num_scales is None else (num_scales, 1)
        return Grid(num_bits, scale.reshape(shape), zero_point.reshape(shape), stride, shift)

    def linear(self, name: str, fields: Mapping[str, Any]) -> PackedLinear:
        """A linear layer."""
        in_features = _whole(fields, "in_features")
        require(1 <= in_features <= 2**24, f"{name}.in_features", in_features)
        bias = self.tensors.get(f"{name}.bias")
        out_features = 0 if bias is None else bias.numel()
        require(out_features >= 1, f"{name}.bias", out_features)
        scales = self.tensors.get(f"{name}.weight_scale")
        num_scales = out_features if scales is not None and scales.numel() > 1 else 1
        grid = self.grid(f"{name}.weight", fields["weight_grid"], num_scales)
        layout = kernels.PackedLayout(in_features, grid.num_bits)
        return PackedLinear(
            in_features,
            self.tensor(f"{name}.weight", torch.uint8, (out_features, layout.row_bytes)),
            grid,
            self.tensor(f"{name}.bias", torch.float32, (out_features,)),
            self.grid(f"{name}.input", fields["input_grid"]),
        )

    def propagation(self, fields: Mapping[str, Any]) -> PackedPropagation:
        """The propagation."""
        form, residual_bits = fields["form"], _whole(fields, "residual_bits")
        require(form in ("direct", "delta_sigma"), "form", form)
        require(residual_bits in (8, 16), "residual_bits", residual_bits)
        strengths = fields["strengths"]
        grids, changes = fields["grids"], fields["change_grids"]
        num_steps = len(grids)
        require(1 <= num_steps <= 10_000, "number of steps", num_steps)
        require(len(strengths) == num_steps, "number of strengths", len(strengths))
        require(len(changes) == num_steps, "number of change_grids", len(changes))
        for index, strength in enumerate(strengths):
            require(_is_number(strength) and 0 <= strength <= 1, "strengths", strength)
            require(strength == 0 or changes[index] is not None, "change_grids", changes[index])
        return PackedPropagation(
            form=form,
            recurrence=Recurrence(
                *(_coefficient(fields, key) for key in ("keep", "neighbours", "restart"))
            ),
            grids=tuple(self.grid(f"message.{i}", grid) for i, grid in enumerate(grids)),
            residual_bits=8 if residual_bits == 8 else 16,
            strengths=tuple(float(strength) for strength in strengths),
            change_grids=tuple(
                None if grid is None else self.grid(f"change.{i}", grid)
                for i, grid in enumerate(changes)
            ),
        )


def require(holds: bool, name: str, value: object) -> None:
    """Refuse the value of a field unless what it has to hold does."""
    if not holds:
        raise ValueError(f"{name} is out of range: {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return value


def _coefficient(fields: Mapping[str, Any], name: str) -> float:
    value = fields[name]
    require(_is_number(value) and abs(value) <= 1e6, name, value)
    return float(value)
