"""Outermost module calls: parts of a training step, or stretches of their own where nothing is trained."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.capture.recording import recorded  # noqa: E402
from wellposed.record import Record  # noqa: E402


def _calls(path):
    with Record(path) as record:
        return {operation.call for operation in record.operations()}, {step.level for step in record.steps()}


def test_the_calls_of_a_training_step_belong_to_one_stretch(tmp_path):
    tower = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(tower.parameters(), 0.1)
    with recorded(tmp_path / "r.wellposed"):
        for _ in range(3):
            loss = (tower(torch.randn(4, 3)) * tower(torch.randn(4, 3))).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert _calls(tmp_path / "r.wellposed") == ({0}, {"full"})


def test_calls_without_gradients_are_stretches_of_their_own(tmp_path):
    model = torch.nn.Linear(3, 2)
    with recorded(tmp_path / "r.wellposed"), torch.no_grad():
        for _ in range(3):
            model(torch.randn(4, 3))
    calls, _ = _calls(tmp_path / "r.wellposed")
    assert calls == {0, 1, 2, 3}  # the random numbers of the first batch come before any call


def test_parameters_are_known_by_name_where_nothing_trains(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    with recorded(tmp_path / "r.wellposed"), torch.no_grad():
        model(torch.randn(4, 3))
    with Record(tmp_path / "r.wellposed") as record:
        labels = {operand.label for each in record.operations("addmm") for operand in each.inputs}
        assert {"Sequential.0.weight", "Sequential.0.bias"} <= labels
        assert [each.name for each in record.parameters()] == ["Sequential.0.weight", "Sequential.0.bias"]
