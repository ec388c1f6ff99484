"""Copies of records that keep what they derive from their fields."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class CopiedByFields:
    """A dataclass of which copies and pickles hold the fields, and derive all else anew."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
