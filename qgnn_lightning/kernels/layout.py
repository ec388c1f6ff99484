"""How codes of 2, 4 or 8 bits lie in a row of bytes. See ``docs/packed-format.md``."""

from __future__ import annotations

from dataclasses import dataclass

SUPPORTED_BITS = (2, 4, 8)
FORMAT_VERSION = 1

_MIN_FEATURES = 32
_MIN_BYTES = 16
_WIDE_BYTES = 32


@dataclass(frozen=True)
class PackedLayout:
    r"""Position of every code of a row of ``num_features`` codes.

    A row has :math:`W` bytes of :math:`8/b` lanes; lane :math:`l` holds bits
    :math:`bl \dots bl + b - 1`. Feature :math:`f` lies in

    .. math:: \text{byte} = f \bmod W, \qquad \text{lane} = \lfloor f / W \rfloor,

    so that one lane of consecutive bytes holds consecutive features. Bits that belong to no
    feature are zero. :math:`W` is 16 or 32 for short rows and a multiple of 32 above, at least 32
    features: a row then touches as few cache lines as its size allows.

    Args:
        num_features: Codes per row, at least 1.
        num_bits: Bits per code: 2, 4 or 8.

    Raises:
        ValueError: If an argument is out of range.
    """

    num_features: int
    num_bits: int

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.num_bits not in SUPPORTED_BITS:
            raise ValueError(f"num_bits must be one of {SUPPORTED_BITS}, got {self.num_bits}")
        if self.num_features < 1:
            raise ValueError(f"num_features must be at least 1, got {self.num_features}")

    @property
    def codes_per_byte(self) -> int:
        """Number of lanes of a byte, ``8 / num_bits``."""
        return 8 // self.num_bits

    @property
    def row_bytes(self) -> int:
        """Bytes :math:`W` from one row to the next."""
        needed = -(-max(self.num_features, _MIN_FEATURES) // self.codes_per_byte)
        if needed <= _MIN_BYTES:
            return _MIN_BYTES
        return -(-needed // _WIDE_BYTES) * _WIDE_BYTES

    @property
    def capacity(self) -> int:
        """Number of codes a row has room for."""
        return self.row_bytes * self.codes_per_byte

    @property
    def max_code(self) -> int:
        """Largest code, ``2 ** num_bits - 1``."""
        return (1 << self.num_bits) - 1

    def position(self, feature: int) -> tuple[int, int]:
        """Return byte and lane of a feature.

        Raises:
            IndexError: If ``feature`` is not in ``0 .. num_features - 1``.
        """
        if not 0 <= feature < self.num_features:
            raise IndexError(f"feature must be in 0..{self.num_features - 1}, got {feature}")
        return feature % self.row_bytes, feature // self.row_bytes
