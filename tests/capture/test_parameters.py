"""How each parameter started: its name, its fans, and the line that made its module."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tests.capture.observing import line_of, observe  # noqa: E402


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(50, 30)  # the first layer
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, (5, 3)),  # a convolution
            nn.BatchNorm2d(8),
        )
        self.scale = nn.Parameter(torch.full((4,), 2.5))


def _made(program=None):
    def run():
        model = Net()
        torch.optim.SGD(model.parameters(), 0.1)
        return model

    return program or run


def _parameters(tmp_path, program=None):
    seen = observe(tmp_path, _made(program))
    return {each.name: each for each in seen.record.parameters()}


def test_names_are_paths_from_the_outermost_module(tmp_path):
    assert set(_parameters(tmp_path)) == {
        "Net.first.weight", "Net.first.bias", "Net.body.0.weight", "Net.body.0.bias", "Net.body.1.weight",
        "Net.body.1.bias", "Net.scale",
    }  # fmt: skip


def test_fans_are_those_of_torch_init(tmp_path):
    found = _parameters(tmp_path)
    for name, tensor in [("Net.first.weight", torch.empty(30, 50)), ("Net.body.0.weight", torch.empty(8, 3, 5, 3))]:
        assert (found[name].fan_in, found[name].fan_out) == nn.init._calculate_fan_in_and_fan_out(tensor)
    assert found["Net.scale"].fan_in is None


def test_the_start_is_measured_before_any_update(tmp_path):
    found = _parameters(tmp_path)
    uniform = found["Net.first.weight"].initial
    assert uniform.standard_deviation == pytest.approx(1 / math.sqrt(50) / math.sqrt(3), rel=0.1)
    assert (found["Net.scale"].initial.minimum, found["Net.scale"].initial.maximum) == (2.5, 2.5)


def test_the_line_is_where_the_users_code_made_the_module(tmp_path):
    found = _parameters(tmp_path)
    assert found["Net.first.weight"].site.line == line_of(__file__, "the first layer")
    assert found["Net.body.0.weight"].site.line == line_of(__file__, "a convolution")
    assert found["Net.body.0.weight"].module == "Conv2d"


def test_a_parameter_that_no_module_holds_goes_by_a_number(tmp_path):
    def program():
        torch.optim.SGD([torch.ones(2, requires_grad=True)], 0.1)

    assert list(_parameters(tmp_path, program)) == ["parameter 1"]


def test_a_parameter_is_labelled_where_it_is_read(tmp_path):
    def program():
        model = nn.Linear(2, 3)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(2):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()

    seen = observe(tmp_path, program)
    last = seen.all("addmm")[-1]
    assert [each.label for each in last.inputs] == ["Linear.bias", "", "Linear.weight"]
    update = seen.all("add", "optimizer")[-1]
    assert update.outputs[0].label in ("Linear.bias", "Linear.weight")


def test_parameters_that_are_added_later_are_found(tmp_path):
    def program():
        first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([first], 0.1)
        optimizer.add_param_group({"params": [second]})
        (first.sum() + second.sum()).backward()
        optimizer.step()

    assert [each.shape for each in _parameters(tmp_path, program).values()] == [(1,), (2,)]


def test_without_an_optimizer_no_parameter_is_listed(tmp_path):
    assert _parameters(tmp_path, Net) == {}
