"""What the libraries below say about themselves is not for the user of this program."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("lightning.pytorch", "lightning.fabric")

#: Why each is not the user's concern.
_WARNINGS = (
    # Lightning uses a class of torch that torch has renamed.
    (r".*LeafSpec", FutureWarning),
    (r".*treespec", FutureWarning),
    # Lightning's own use of jsonargparse.
    (r"(?s).*(Jsonargparse|``instantiate_classes``)", DeprecationWarning),
    # A graph is in memory: there is nothing for workers to do.
    (r".*does not have many workers", UserWarning),
    # One step per epoch is what a full graph means.
    (r".*is smaller than the logging interval", UserWarning),
    # On a cluster, the user may start a single process without srun.
    (r".*`srun` command is available", UserWarning),
    # Testing needs neither random generators nor the best score so far.
    (r"(?s).*callbacks used to create the checkpoint", UserWarning),
    # torch announces that its CSR layout is young.
    (r".*Sparse CSR tensor support is in beta", UserWarning),
)


@contextmanager
def quiet() -> Iterator[None]:
    """Without advertisements, internal deprecations and status messages of Lightning."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings():
        for message, category in _WARNINGS:
            warnings.filterwarnings("ignore", message, category)
        try:
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.WARNING)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
