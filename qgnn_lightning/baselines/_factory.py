"""From the name of an architecture to the network."""

from __future__ import annotations

from dataclasses import replace

from qgnn_lightning.nn import GraphNetwork, NetworkConfig, QuantizedGNN


def make_network(num_features: int, num_classes: int, config: NetworkConfig) -> GraphNetwork:
    """Make a network.

    ``gcn``, ``appnp`` and ``sgc`` are PyG's in full precision, and ours with quantized stages:
    the same function but for the rounding.

    Args:
        num_features: Size of the input.
        num_classes: Size of the output.
        config: Everything else.
    """
    architecture = config.architecture
    if architecture == "decoupled":
        return QuantizedGNN(num_features, num_classes, config)
    if architecture == "appnp" and not config.precision.full:
        propagation = replace(config.propagation, propagation="personalized")
        return QuantizedGNN(num_features, num_classes, replace(config, propagation=propagation))
    if architecture == "sgc" and not config.precision.full:
        from qgnn_lightning.baselines._quantized_sgc import QuantizedSGC

        return QuantizedSGC(num_features, num_classes, config)
    return _make_baseline(num_features, num_classes, config)


def _make_baseline(num_features: int, num_classes: int, config: NetworkConfig) -> GraphNetwork:
    """PyG takes seconds to import: only where it is used."""
    if config.architecture == "gcn":
        from qgnn_lightning.baselines._gcn import GCN

        return GCN(num_features, num_classes, config)
    if config.architecture == "gcnii":
        from qgnn_lightning.baselines._gcnii import GCNII

        return GCNII(num_features, num_classes, config)
    if config.architecture == "sgc":
        from qgnn_lightning.baselines._sgc import SGC

        return SGC(num_features, num_classes, config)
    if config.architecture == "appnp":
        from qgnn_lightning.baselines._appnp import APPNPNetwork

        return APPNPNetwork(num_features, num_classes, config)
    from qgnn_lightning.baselines._elastic import ElasticNetwork

    return ElasticNetwork(num_features, num_classes, config)
