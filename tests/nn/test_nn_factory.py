"""From names to classes, and what may not be combined."""

from __future__ import annotations

import pytest
import torch

from qgnn_lightning.nn import (
    DeltaSigmaMessages,
    DirectMessages,
    PersonalizedPropagation,
    PowerPropagation,
    PropagationConfig,
    ReleasedCodePropagation,
    SmoothnessAwarePropagation,
    UnrolledMultiplierPropagation,
    make_propagation,
)
from qgnn_lightning.quantization import (
    PRESETS,
    BitwiseTruncationQuantizer,
    IdentityQuantizer,
    Precision,
)

CLASSES = {
    "smoothness_aware": SmoothnessAwarePropagation,
    "unrolled_multiplier": UnrolledMultiplierPropagation,
    "released_code": ReleasedCodePropagation,
    "personalized": PersonalizedPropagation,
    "powers": PowerPropagation,
}


@pytest.mark.parametrize(("name", "expected"), CLASSES.items())
@pytest.mark.parametrize("num_steps", [1, 7])
def test_names_of_the_propagations(name, expected, num_steps):
    propagation = make_propagation(PropagationConfig(propagation=name, num_steps=num_steps))
    assert type(propagation) is expected
    assert propagation.num_steps == num_steps


@pytest.mark.parametrize(
    ("messages", "expected"), [("direct", DirectMessages), ("delta_sigma", DeltaSigmaMessages)]
)
@pytest.mark.parametrize("num_bits", [2, 8, 32])
def test_names_of_the_messages(messages, expected, num_bits):
    config = PropagationConfig(messages=messages)
    propagation = make_propagation(config, Precision(message=num_bits))
    assert type(propagation.messages) is expected
    assert {quantizer.num_bits for quantizer in propagation.messages.quantizers} == {num_bits}


def test_auto_takes_delta_sigma_for_few_bits_where_it_can():
    config = PropagationConfig(messages="auto")
    chosen = {name: type(make_propagation(config, p).messages) for name, p in PRESETS.items()}
    assert chosen["int2"] is chosen["int4"] is DeltaSigmaMessages
    assert chosen["float32"] is chosen["int2-paper"] is DirectMessages


def test_full_precision_is_what_one_gets_without_asking():
    messages = make_propagation(PropagationConfig()).messages
    assert all(isinstance(q, IdentityQuantizer) for q in messages.quantizers)


def test_arguments_reach_the_propagation():
    config = PropagationConfig(
        num_steps=2, smoothing=4.0, step_size=0.2, budget=0.7, dual_step_size=0.3, residual_bits=8
    )
    propagation = make_propagation(config, PRESETS["int2"], "bitwise_truncation", momentum=0.4)
    recurrence = propagation.recurrence
    assert (recurrence.keep, recurrence.neighbours, recurrence.restart) == (0, 0.8, 0.2)
    assert propagation.multipliers.dual_step_size == 0.3
    assert propagation.multipliers.upper == pytest.approx(1 / 0.8)
    assert propagation.messages.residual_bits == 8
    for quantizer in propagation.messages.quantizers:
        assert isinstance(quantizer, BitwiseTruncationQuantizer)
        assert quantizer.range.momentum == 0.4
    restart = make_propagation(PropagationConfig(propagation="personalized", restart=0.25))
    assert restart.recurrence.restart == 0.25


@pytest.mark.parametrize("unit", ["per_edge", "input_energy"])
def test_unit_of_the_budget(unit):
    propagation = make_propagation(PropagationConfig(budget=0.5, budget_unit=unit))
    limit = propagation.budget.limit(10, lambda: torch.tensor(3.0))
    assert limit == (5.0 if unit == "per_edge" else 1.5)


@pytest.mark.parametrize("stage", ["aggregate", "update"])
def test_delta_sigma_cannot_feed_other_rounding_back(stage):
    config = PropagationConfig(messages="delta_sigma")
    with pytest.raises(ValueError, match="needs the aggregate and update stages at 32 bits"):
        make_propagation(config, Precision(message=2, **{stage: 2}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"propagation": "nope"}, "propagation must be one of .*'powers'.*, got 'nope'"),
        ({"messages": "nope"}, "messages must be one of .*'direct'.*, got 'nope'"),
    ],
)
def test_configuration_is_checked(options, message):
    with pytest.raises(ValueError, match=message):
        PropagationConfig(**options)


def test_only_constrained_propagations_have_second_messages():
    for name in CLASSES:
        config = PropagationConfig(propagation=name, num_steps=3)
        count = len(make_propagation(config, PRESETS["int2"]).messages.change_quantizers)
        assert count == (0 if name in ("personalized", "powers") else 3)
