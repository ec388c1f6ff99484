"""What a network consists of, one row per part."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from qgnn_lightning.deploy._packed_network import PackedGNN, PackedLinear, grid_bytes
from qgnn_lightning.nn import GraphNetwork, QuantizedGNN, QuantizedLinear
from qgnn_lightning.quantization import Grid, Quantizer


@dataclass(frozen=True)
class Part:
    """One part of a network.

    Args:
        name: Where it is.
        bits: Bits of its codes; 32 where it is not quantized, ``None`` where it has no numbers.
        scale: Scale of its grid, or of the first and last grid.
        shape: Shape of its numbers; empty for what is computed.
        num_bytes: Bytes it takes: of a packed network in its file, else in memory.
    """

    name: str
    bits: int | None
    scale: str
    shape: tuple[int, ...]
    num_bytes: int


def describe_packed(network: PackedGNN) -> list[Part]:
    """The parts of a packed network; its file holds them and a header."""
    propagation = network.propagation
    changes = [grid for grid in propagation.change_grids if grid is not None]
    steps = f"messages of {propagation.num_steps} steps"
    return [
        *_packed_linear("encoder", network.encoder),
        *_packed_linear("classifier", network.classifier),
        _stored_grids(steps, list(propagation.grids)),
        *([_stored_grids("changes", changes)] if changes else []),
    ]


def describe_network(network: GraphNetwork) -> list[Part]:
    """The parts of a network as it is trained: weights in full precision."""
    if not isinstance(network, QuantizedGNN):
        return _baseline(network)
    messages = network.propagation.messages
    return [
        *_linear("encoder", network.encoder),
        *_linear("classifier", network.classifier),
        _grids(
            f"messages of {network.propagation.num_steps} steps",
            [_grid(quantizer) for quantizer in messages.quantizers],
        ),
    ]


def _baseline(network: GraphNetwork) -> list[Part]:
    """A row for each set of parameters, and for each quantizer that is not a weight's."""
    parts = []
    for name, module in network.named_modules():
        if isinstance(module, Quantizer):
            if not name.endswith("weight_quantizer"):
                parts.append(_grids(name, [_grid(module)]))
            continue
        for own, parameter in module.named_parameters(recurse=False):
            if isinstance(module, QuantizedLinear) and own == "weight":
                parts.append(_weight(f"{name} weight", module))
            else:
                parts.append(_plain(f"{name} {own}".strip(), parameter))
    return parts


def _packed_linear(name: str, layer: PackedLinear) -> list[Part]:
    shape = (layer.out_features, layer.in_features)
    grid = layer.weight_grid
    size = layer.weight.nbytes + grid_bytes(grid)
    return [
        _stored_grids(f"{name} input", [layer.input_grid]),
        Part(f"{name} weight", grid.num_bits, _spread([grid]), shape, size),
        _plain(f"{name} bias", layer.bias),
    ]


def _linear(name: str, layer: QuantizedLinear) -> list[Part]:
    return [
        _grids(f"{name} input", [_grid(layer.input_quantizer)]),
        _weight(f"{name} weight", layer),
        _plain(f"{name} bias", layer.bias),
    ]


def _weight(name: str, layer: QuantizedLinear) -> Part:
    bits, spread = layer.weight_quantizer.num_bits, _spread([_grid(layer.weight_quantizer)])
    return Part(name, bits, spread, tuple(layer.weight.shape), layer.weight.nbytes)


def _plain(name: str, tensor: Tensor) -> Part:
    return Part(name, 32, "", tuple(tensor.shape), tensor.nbytes)


def _stored_grids(name: str, grids: list[Grid]) -> Part:
    return Part(name, grids[0].num_bits, _spread([*grids]), (), sum(map(grid_bytes, grids)))


def _grids(name: str, grids: list[Grid | None]) -> Part:
    bits = 32 if grids[0] is None else grids[0].num_bits
    return Part(name, bits, _spread(grids), (), 0)


def _grid(quantizer: nn.Module) -> Grid | None:
    """The grid; none where the stage is not quantized, or has not seen any data."""
    assert isinstance(quantizer, Quantizer)
    try:
        return quantizer.grid()
    except RuntimeError:
        return None


def _spread(grids: list[Grid | None]) -> str:
    scales = [float(scale) for grid in grids if grid is not None for scale in grid.scale.flatten()]
    if not scales:
        return ""
    low, high = min(scales), max(scales)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
