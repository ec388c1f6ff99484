"""Networks to compare with: GCN, GCNII, APPNP, SGC and elastic message passing.

In full precision the layers are PyG's, which is imported when a network of them is made.
"""

from qgnn_lightning.baselines._factory import make_network

__all__ = ["make_network"]
