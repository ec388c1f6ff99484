"""The parser of the commands that are not Lightning's; without importing torch."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from qgnn_lightning.cli._errors import UsageError


class ArgumentParser(argparse.ArgumentParser):
    """Raises :class:`UsageError` where argparse exits; abbreviations are refused."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise UsageError(re.sub(r"^argument ((?:-\w/)?--\w+|\w+): ", r"\1: ", message))
