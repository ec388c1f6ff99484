"""One training of a study, and the name that its result is kept under."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qgnn_lightning.study._options import Options

#: In the value of an option: the seed of the run.
SEED = "$seed"
#: Where files lie and what is shown change no result.
_OF_NO_CONSEQUENCE = ("data.cache_dir", "data.download", "trainer.enable_progress_bar")


@dataclass(frozen=True)
class Run:
    """One configuration with one seed.

    Args:
        values: Value of each axis, by the axis' name.
        options: All options but the seed.
        seed: The seed.
    """

    values: dict[str, str]
    options: Options
    seed: int

    @property
    def name(self) -> str:
        """What tells the run from the others of its study."""
        return " ".join([*(f"{axis}={one}" for axis, one in self.values.items()), self.title])

    @property
    def title(self) -> str:
        """What tells the run from the others of its cell."""
        return f"seed {self.seed}"

    @cached_property
    def key(self) -> str:
        """Hash of the configuration and the seed: runs of one key have one result."""
        options = {
            name: _plain(value)
            for name, value in self.options.items()
            if name not in _OF_NO_CONSEQUENCE
        }
        if options.get("data.name") is not None:
            options.pop("data.root", None)  # the name says which graph, the root only where
        text = json.dumps([options, self.seed], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """2.0 is 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
