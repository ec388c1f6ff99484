"""The weights of a low-bit linear map as the kernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ._tracing import is_traced
from .validation import MAX_IN_FEATURES, check_no_gradient, check_tensor, check_vector


@dataclass(frozen=True, eq=False)
class LinearWeight:
    """Centred weight codes with what turns their products into real numbers.

    Checked when made, so that no later call has to look at the weights again.

    Args:
        codes: int16, in -255..255.
        scale: float32 scale of every output.
        bias: float32, added to the result, if there is one.

    Shapes:
        codes: ``(out, in)``; scale, bias: ``(out,)``

    Raises:
        TypeError: If what should be a tensor is none.
        ValueError: If a tensor has the wrong type or shape or requires a gradient, or a code is out
            of range.
    """

    codes: Tensor
    scale: Tensor
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        check_tensor("codes", self.codes, torch.int16, 2)
        out_features, in_features = self.codes.shape
        if not 1 <= in_features <= MAX_IN_FEATURES:
            raise ValueError(f"codes must have 1..{MAX_IN_FEATURES} inputs, got {in_features}")
        if out_features < 1:
            raise ValueError(f"codes must have at least 1 output, got {out_features}")
        if self._largest > 255:
            raise ValueError(f"codes must be in -255..255, got {self._largest} in size")
        check_vector("scale", self.scale, torch.float32, out_features)
        check_no_gradient("scale", self.scale)
        if self.bias is not None:
            check_vector("bias", self.bias, torch.float32, out_features)
            check_no_gradient("bias", self.bias)

    @property
    def in_features(self) -> int:
        """Number of inputs."""
        return self.codes.shape[1]

    def count_operations(self, *, rows: int = 0, entries: int = 0) -> int:
        """Products of codes for so many packed rows, or entries of sparse rows."""
        return rows * self.codes.numel() + entries * self.codes.shape[0]

    @cached_property
    def _largest(self) -> int:
        least, most = torch.aminmax(self.codes)  # the size of -32768 is not in int16
        return max(-int(least), int(most))

    @property
    def _dtype(self) -> torch.dtype:
        return torch.int8 if self._largest <= 127 else torch.int16

    @cached_property
    def _factors(self) -> dict[float, Tensor]:
        return {}

    def factor(self, x_scale: float) -> Tensor:
        """What a product of centred codes is worth, ``x_scale * scale``, kept for the next call."""
        if x_scale in self._factors:
            return self._factors[x_scale]
        factor = torch.tensor(x_scale, dtype=torch.float32, device=self.scale.device) * self.scale
        if not is_traced():
            self._factors[x_scale] = factor
        return factor

    @property
    def by_input(self) -> Tensor:
        """The codes as ``(in, out)``, int8 if they fit: a row for every input, for sparse rows."""
        if is_traced():
            return self.codes.t().contiguous().to(self._dtype)
        return self._by_input

    @cached_property
    def _by_input(self) -> Tensor:
        return self.codes.t().contiguous().to(self._dtype)
