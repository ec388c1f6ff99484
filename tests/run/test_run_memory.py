"""What is said where memory is missing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qgnn_lightning.lightning_module import NodeClassifier
from qgnn_lightning.run import check_memory, make_blueprint, named_memory

_DEVICE = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79 GiB."


class _Greedy(nn.Module):
    def forward(self, x):
        return torch.empty(x.shape[0], 10**15)


def test_a_blueprint_has_shapes_and_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    model = NodeClassifier(hidden_features=5, num_features=4, num_classes=3)
    torch.manual_seed(1)
    blueprint = make_blueprint(model)
    assert torch.equal(torch.rand(3), expected)
    shapes = {name: one.shape for name, one in model.state_dict().items()}
    assert {name: one.shape for name, one in blueprint.state_dict().items()} == shapes
    assert all(one.is_meta for one in blueprint.parameters())
    check_memory(blueprint)


def test_the_largest_tensor_is_named():
    with torch.device("meta"):
        layers = nn.Sequential(nn.Linear(2, 3), nn.Linear(10**9, 2**20))
    with pytest.raises(MemoryError, match=r": 1\.weight alone is 1,048,576 x 1,000,000,000 numb"):
        check_memory(layers)


def test_the_part_that_asked_is_named():
    model = nn.Sequential(nn.Identity(), _Greedy())
    with (
        pytest.raises(
            MemoryError, match=r"11,175,870\.9 GiB asked for at once, by 1 for an input of 3 x 2 n"
        ),
        named_memory(model),
    ):
        model(torch.zeros(3, 2))


@pytest.mark.parametrize(
    ("function", "what"), [("backward", "the gradients"), ("setup", "the data"), ("other", None)]
)
def test_the_step_is_named_where_no_part_is_at_work(function, what):
    namespace = {"message": _DEVICE}
    exec(f"def {function}(): raise RuntimeError(message)", namespace)
    end = "" if what is None else f", for {what}"
    with (
        pytest.raises(MemoryError, match=rf"^not enough memory: 2\.5 GiB asked for at once{end}"),
        named_memory(nn.Identity()),
    ):
        namespace[function]()


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match=r"^another$"), named_memory(nn.Identity()):
        raise RuntimeError("another")
