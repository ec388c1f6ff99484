"""Bits of every stage of a network, and their presets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

FULL_PRECISION = 32


def check_bits(name: str, bits: object) -> None:
    """Check that there are codes of so many bits, or that they stand for full precision.

    Args:
        name: What they are called.
        bits: The bits.

    Raises:
        ValueError: If it is no whole number, or not 1 to 8 or 32.
    """
    whole = isinstance(bits, int) and not isinstance(bits, bool)
    if not whole or (bits != FULL_PRECISION and bits not in range(1, 9)):
        raise ValueError(f"{name} must be 1 to 8, or 32 for full precision, got {bits!r}")


@dataclass(frozen=True)
class Precision:
    """Bits per stage: 1 to 8, or 32 where a stage is not quantized.

    Only 2, 4 and 8 bits can be packed into a file of real integers; a network of other bits can be
    trained and measured, with its bits simulated in float32.

    Args:
        input: Features that enter the network.
        weight: Weights of the linear layers.
        activation: Hidden representations.
        message: What nodes send to their neighbours.
        aggregate: What a node makes of its neighbours' messages.
        update: The representation after each step.

    Raises:
        ValueError: If a stage has other bits.
    """

    input: int = FULL_PRECISION
    weight: int = FULL_PRECISION
    activation: int = FULL_PRECISION
    message: int = FULL_PRECISION
    aggregate: int = FULL_PRECISION
    update: int = FULL_PRECISION

    def __post_init__(self) -> None:
        for field in fields(self):
            check_bits(f"bits of {field.name}", getattr(self, field.name))

    @classmethod
    def operands(cls, num_bits: int) -> Precision:
        """The same bits in every operand stage: input, weight, activation, message."""
        return cls(num_bits, num_bits, num_bits, num_bits)

    @property
    def full(self) -> bool:
        """Whether no stage is quantized."""
        return all(getattr(self, field.name) == FULL_PRECISION for field in fields(self))


PRESETS: dict[str, Precision] = {
    "float32": Precision(),
    "int8": Precision.operands(8),
    "int4": Precision.operands(4),
    "int2": Precision.operands(2),
    "int2-paper": Precision(2, 2, 2, 2, 2, 2),
}


def as_precision(given: Precision | str | None) -> Precision:
    """Bits of the stages as a layer takes them.

    Args:
        given: The bits, the name of a preset, or ``None`` for full precision.

    Raises:
        ValueError: If it is neither.
    """
    if given is None or isinstance(given, Precision):
        return given or Precision()
    if isinstance(given, str) and given in PRESETS:
        return PRESETS[given]
    raise ValueError(
        f"precision must be a Precision, such as Precision(weight=4, message=4), or one of "
        f"{list(PRESETS)}, got {given!r}"
    )


def make_precision(preset: str, stage_bits: dict[str, int] | None = None) -> Precision:
    """Bits of the stages: a preset, with single stages overridden.

    Args:
        preset: A key of :data:`PRESETS`.
        stage_bits: Bits by stage.

    Raises:
        ValueError: If the preset, a stage or its bits are unknown.
    """
    if preset not in PRESETS:
        raise ValueError(f"bits must be one of {list(PRESETS)}, got {preset!r}")
    stages = [field.name for field in fields(Precision)]
    for stage in stage_bits or {}:
        if stage not in stages:
            raise ValueError(f"stage_bits must name stages of {stages}, got {stage!r}")
    return replace(PRESETS[preset], **(stage_bits or {}))
