"""Prepared operations give what the operators give, on the compiled kernels and without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import ISAS, WIDTHS, grids, random_codes, random_features, random_graph
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from qgnn_lightning import kernels
from qgnn_lightning.kernels import backends, cpu
from qgnn_lightning.kernels.validation import worthwhile_threads

NUM_NODES, NUM_FEATURES = 90, 40


@pytest.fixture(params=[*ISAS, "reference"])
def where(request: pytest.FixtureRequest) -> Iterator[str]:
    """An instruction set of the compiled kernels, or no such kernels at all."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "reference":
            patch.setitem(backends._REASONS, "cpu", lambda: "it was not compiled")
            backends._warn_fallback.cache_clear()
        elif request.param not in cpu.available_isas():
            pytest.skip(f"this processor or build has no {request.param}")
        else:
            patch.setenv("QGNN_KERNEL_ISA", request.param)
        yield request.param


def random_weight(out_features: int, in_features: int, largest: int) -> kernels.LinearWeight:
    codes = torch.randint(-largest, largest + 1, (out_features, in_features)).to(torch.int16)
    return kernels.LinearWeight(codes, torch.rand(out_features) + 0.1, torch.randn(out_features))


def random_network(
    bits: int = 2, hidden: int = 64, classes: int = 7, largest: int = 3, form: Any = "delta_sigma"
) -> kernels.PreparedNetwork:
    between = kernels.Grid(bits, 4.0, 1)
    return kernels.PreparedNetwork(
        kernels.PreparedLinear(
            kernels.Grid(bits, 0.7, 1), random_weight(hidden, NUM_FEATURES, largest), True, between
        ),
        kernels.PreparedLinear(between, random_weight(classes, hidden, largest)),
        kernels.PreparedPropagation(
            random_graph(NUM_NODES, 400, 0),
            [kernels.Grid(bits, scale, 1) for scale in (20.0, 9.0, 8.0)],
            kernels.StepCoefficients(0.0, 0.9, 0.1),
            form,
            16,
        ),
    )


@pytest.mark.parametrize(
    ("grids", "form", "residual_bits", "message"),
    [
        ([kernels.Grid(2, 1.0, 1)], "sigma", 16, "form must be one of"),
        ([kernels.Grid(2, 1.0, 1)], "direct", 4, "residual_bits must be one of"),
        ([], "direct", 16, "grids must hold one grid per step"),
    ],
)
def test_a_propagation_that_cannot_be_is_refused_when_it_is_prepared(
    grids: Any, form: Any, residual_bits: int, message: str
) -> None:
    weights = kernels.StepCoefficients(0.0, 0.9, 0.1)
    with pytest.raises(ValueError, match=message):
        kernels.PreparedPropagation(random_graph(4, 9, 0), grids, weights, form, residual_bits)


def sparse_rows(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    x = random_features(NUM_NODES, NUM_FEATURES, seed).clamp(-9, 9)
    x[torch.rand(x.shape) < 0.7] = 0
    counts = (x != 0).sum(1)
    rowptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return rowptr, x.nonzero()[:, 1], x[x != 0]


def by_reference(network: kernels.PreparedNetwork, hidden: Tensor) -> Tensor:
    """What follows the first map."""
    classifier, steps = network.classifier, network.propagation
    scores = kernels.linear(hidden, classifier.x_grid, classifier.weight, backend="reference")
    return kernels.propagate(
        scores, steps.graph, steps.grids, steps.coefficients, form=steps.form, backend="reference"
    ).features


@pytest.mark.filterwarnings("ignore:packed kernels fall back")
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("largest", [3, 127, 255])  # weights in bytes, and in 16 bits
@pytest.mark.parametrize(("hidden", "classes"), [(64, 7), (37, 20)])
@pytest.mark.parametrize("form", ["direct", "delta_sigma"])
def test_a_network_equals_its_operations(where, bits, largest, hidden, classes, form) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = random_network(bits, hidden, classes, largest, form)
    first, rows = network.encoder, sparse_rows()
    options = {"relu": True, "out_grid": first.out_grid, "backend": "reference"}
    expected = kernels.sparse_linear(*rows, first.x_grid, first.weight, **options)
    assert torch.equal(network.encoder.sparse(*rows), expected)
    assert torch.equal(network.sparse(*rows), by_reference(network, expected))
    packed = kernels.pack(random_codes(NUM_NODES, NUM_FEATURES, bits, 1), bits)
    expected = kernels.linear(packed, first.x_grid, first.weight, **options)
    assert torch.equal(network.encoder.packed(packed), expected)
    assert torch.equal(network.packed(packed), by_reference(network, expected))
    assert torch.equal(network.packed(packed.repeat(1, 2)[:, : packed.shape[1]]),
                       network.packed(packed))  # fmt: skip
    x = random_features(NUM_NODES, NUM_FEATURES, 2)
    packed = kernels.quantize_pack(x, first.x_grid, backend="reference")
    assert torch.equal(network.dense(x), network.packed(packed))
    assert torch.equal(network.dense(x.repeat(1, 2)[:, :NUM_FEATURES]), network.packed(packed))


@pytest.mark.parametrize("isa", ISAS)
@given(
    rows=st.sampled_from((0, 1, 4, 9)),
    width=st.sampled_from(WIDTHS),
    step_grids=grids(),
    largest=st.sampled_from((1, 127, 255)),
    packs=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_rows_of_floats_are_packed_on_the_way(isa, rows, width, step_grids, largest, packs, seed):  # type: ignore[no-untyped-def]
    if isa not in cpu.available_isas():
        pytest.skip(f"this processor or build has no {isa}")
    torch.manual_seed(seed)
    grid, weight = step_grids[0], random_weight(5, width, largest)
    options = {"relu": True, "out_grid": kernels.Grid(2, 9.0, 1) if packs else None}
    x = random_features(rows, width, seed)
    packed = kernels.quantize_pack(x, grid, backend="reference")
    expected = kernels.linear(packed, grid, weight, **options, backend="reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QGNN_KERNEL_ISA", isa)
        prepared = kernels.PreparedLinear(grid, weight, **options)
        assert torch.equal(prepared.dense(x), expected)
        assert torch.equal(prepared.of_packed(cpu.DenseRows(x), 3), expected)
    if rows:
        x[seed % rows, seed % width] = torch.nan
        with pytest.raises(ValueError, match="x must be finite, got NaN or infinity"):
            prepared.dense(x)


def test_wrong_rows_of_floats_are_named() -> None:
    network, x = random_network(), random_features(NUM_NODES, NUM_FEATURES, 0)
    with pytest.raises(ValueError, match="a row for each of the 90 nodes, got 89"):
        network.dense(x[1:])
    for prepared in (network, network.encoder):
        with pytest.raises(ValueError, match="x must have 40 features, got 39"):
            prepared.dense(x[:, 1:])
        with pytest.raises(ValueError, match=r"x must be torch\.float32, got torch\.float64"):
            prepared.dense(x.double())
        with pytest.raises(ValueError, match="gradient"):
            prepared.dense(x.clone().requires_grad_())


def test_several_threads_give_the_same() -> None:
    network, rows = random_network(), sparse_rows()
    expected = network.sparse(*rows)
    call = cpu.NetworkCall(
        network.encoder.of_sparse, network.classifier.of_packed, network.propagation.call
    )
    for threads in (2, 3):
        assert torch.equal(call(cpu.SparseRows(*rows), [threads] * 3), expected)


@pytest.mark.filterwarnings("ignore:.*Dynamo detected a call to a `functools.lru_cache`")
def test_tracers_see_the_operators() -> None:
    network, rows = random_network(), sparse_rows()
    packed = kernels.pack(random_codes(NUM_NODES, NUM_FEATURES, 2, 1), 2)

    def scores(rows: Tensor) -> Tensor:
        return network.packed(rows)

    traced = make_fx(scores, tracing_mode="fake", _allow_non_fake_inputs=True)(packed)
    names = [str(node.target) for node in traced.graph.nodes]
    assert [name for name in names if "qgnn" in name] == [
        "qgnn.linear.default", "qgnn.linear.default", "qgnn.propagate.default",
    ]  # fmt: skip
    assert torch.equal(traced(packed), network.packed(packed))
    assert torch.equal(
        torch.compile(network.packed, backend="eager")(packed), network.packed(packed)
    )
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert network.packed(mode.from_tensor(packed)).shape == (NUM_NODES, 7)
        x = mode.from_tensor(torch.randn(NUM_NODES, NUM_FEATURES))
        assert network.dense(x).shape == (NUM_NODES, 7)
        assert network.sparse(*rows).shape == (NUM_NODES, 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, c, v: (p.flip(0), c, v), r"rowptr must run from 0 to the \d+ entries of col"),
        (lambda p, c, v: (p, c + 1, v), r"col must be in 0\.\.39, got 1\.\.40"),
        (lambda p, c, v: (p, c.long() - (1 << 40), v), r"col must be in 0\.\.39, got -"),
        (lambda p, c, v: (p, c, v / 0), "x must be finite, got NaN or infinity"),
        (lambda p, c, v: (p, c, v.double()), r"value must be torch\.float32, got torch\.float64"),
        (lambda p, c, v: (p, c, v[1:]), r"value must have \d+ element\(s\), got"),
        (lambda p, c, v: (p.int(), c, v), r"rowptr must be torch\.int64, got torch\.int32"),
        (lambda p, c, v: (p, c.float(), v), r"col must be torch\.int32 or torch\.int64, got"),
        (lambda p, c, v: (torch.cat([p, p[-1:]]), c, v), "a row for each of the 90 nodes, got 91"),
    ],
)
def test_wrong_rows_are_named(change, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        random_network().sparse(*change(*sparse_rows()))


def test_wrong_packed_rows_are_named() -> None:
    network = random_network()
    packed = kernels.pack(random_codes(NUM_NODES + 1, NUM_FEATURES, 2, 1), 2)
    with pytest.raises(ValueError, match="a row for each of the 90 nodes, got 91"):
        network.packed(packed)
    with pytest.raises(ValueError, match="packed must have 16 bytes per row"):
        network.packed(packed[:NUM_NODES, :7])
    with pytest.raises(ValueError, match="out_grid must have stride 1, got 85"):
        kernels.PreparedLinear(
            network.encoder.x_grid, network.encoder.weight, False, kernels.Grid(2, 1.0, 0, 85)
        )


def test_what_is_prepared_follows_tensors_that_move() -> None:
    network = random_network()
    packed = kernels.pack(random_codes(NUM_NODES, NUM_FEATURES, 2, 1), 2)
    expected = network.packed(packed)
    graph, weights = network.propagation.graph, (network.encoder.weight, network.classifier.weight)
    kept = [*graph.tensors(), *(weight.codes for weight in weights)]
    kept += [weight.bias for weight in weights if weight.bias is not None]
    for tensor in kept:
        tensor.share_memory_()
    others = [torch.full_like(tensor, 7) for tensor in kept for _ in range(20)]
    assert torch.equal(network.packed(packed), expected)
    assert len(others) == 20 * len(kept)


def test_results_are_on_the_device_of_the_input() -> None:
    rows = sparse_rows()
    packed = kernels.pack(random_codes(NUM_NODES, NUM_FEATURES, 2, 1), 2)
    cold, warm = random_network(form="direct"), random_network(form="direct")
    warm.packed(packed)
    with torch.device("meta"):
        results = [network.packed(packed) for network in (cold, warm)]
        assert warm.sparse(*rows).device.type == "cpu"
    assert torch.equal(results[0], cold.packed(packed))
    assert torch.equal(results[1], warm.packed(packed))
    assert warm.encoder.packed(packed.to("meta")).device.type == "meta"


def test_tensors_that_stand_for_others() -> None:
    network, z = random_network(), torch.randn(NUM_NODES, 7)
    packed = kernels.pack(random_codes(NUM_NODES, NUM_FEATURES, 2, 1), 2)
    expected = network.propagation(-z)
    assert torch.equal(network.propagation(torch._neg_view(z)), expected)
    zeros = network.propagation(torch.zeros_like(z))
    assert torch.equal(network.propagation(torch._efficientzerotensor(z.shape)), zeros)
    functional = torch.func.functionalize(network.packed)
    assert torch.equal(functional(packed), network.packed(packed))
    x = random_features(NUM_NODES, NUM_FEATURES, 0)
    assert torch.equal(network.dense(torch._neg_view(x)), network.dense(-x))
    assert torch.equal(torch.func.functionalize(network.dense)(x), network.dense(x))


@pytest.mark.parametrize(
    ("encoder", "classifier", "message"),
    [
        ({}, {"x_grid": kernels.Grid(4, 4.0, 1)}, "encoder must pack on the classifier's grid"),
        ({"out_grid": None}, {}, "encoder must pack on the classifier's grid"),
        ({}, {"weight": random_weight(7, 80, 3)}, "take the 64 outputs of the encoder, got 80"),
        ({}, {"out_grid": kernels.Grid(2, 1.0, 0)}, "classifier must return floats, got Grid"),
    ],
)
def test_parts_that_do_not_fit_are_refused(encoder, classifier, message) -> None:  # type: ignore[no-untyped-def]
    network = random_network()
    with pytest.raises(ValueError, match=message):
        kernels.PreparedNetwork(
            replace(network.encoder, **encoder),
            replace(network.classifier, **classifier),
            network.propagation,
        )


def test_the_smallest_number_of_16_bits_is_no_weight() -> None:
    codes = torch.tensor([[-32768, 3]]).short()
    with pytest.raises(ValueError, match=r"codes must be in -255\.\.255, got 32768 in size"):
        kernels.LinearWeight(codes, torch.ones(1))


def test_little_work_is_not_shared_out() -> None:
    assert [worthwhile_threads(n) for n in (0, 1 << 19, 1 << 21)] == [1, 1, 4]
