"""The quantizers of the authors' code, reproduced."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from qgnn_lightning.quantization import Quantizer, make_quantizer

_NAMES = {None: "learned_range", "BT": "bitwise_truncation", "SBT": "skewness_truncation"}


def test_first_training_call_gives_the_recorded_values(paper_values):
    assert paper_values["quantizers"]
    for record in paper_values["quantizers"]:
        _check(record)


def _check(record: dict[str, Any]) -> None:
    quantizer: Quantizer = make_quantizer(_NAMES[record["mode"]], record["num_bits"])
    value = quantizer.fake_quantize(torch.tensor(record["x"]))
    grid = quantizer.grid()
    assert grid is not None
    assert quantizer.fraction.alpha.item() == pytest.approx(record["alpha_init"], rel=1e-7)
    assert grid.scale.item() == pytest.approx(record["scale"], rel=2e-7)
    assert grid.zero_point.item() == record["zero_point"]
    # The authors' code notes the skewness in every mode, and uses it in BT* only.
    assert grid.shift == (record["skewness_rounded"] if record["mode"] == "SBT" else 0)
    torch.testing.assert_close(value, torch.tensor(record["output"]), rtol=3e-7, atol=0)
