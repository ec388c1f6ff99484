"""What is made of options refuses the values that it cannot be made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException

from qgnn_lightning.cli._errors import UsageError, describe


@contextmanager
def made_of_options() -> Iterator[None]:
    """Errors about values, where objects are made of options alone, are errors of the user.

    Raises:
        UsageError: In their place.
    """
    try:
        yield
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UsageError(describe(error)) from error
