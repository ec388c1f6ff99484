"""Deep graph neural networks that are small, fast and accurate.

Importing this package costs nothing: every part is imported by its own name, for example
``from qgnn_lightning.nn import SmoothnessAwarePropagation``.
"""

__version__ = "0.1.0"
