"""Tensors that the processor cannot read: with its own memory taken for an accelerator's, and on a GPU where one is."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.capture.recording import LEVELS, recorded
from wellposed.capture import device_readings
from wellposed.capture.recorder import Recorder
from wellposed.capture.recording import Options
from wellposed.record import Operation, Record

_MOMENTS = {"mean", "standard_deviation", "root_mean_square", "weight_rms", "update_ratio", "gradient_norm"}
_MEASURED = {"seconds", "recording_seconds"}
_NUMBERED = {"site", "module"}
"""In the order in which they were first met; our own look for the line of a loss comes in between."""


def _train(device: str = "cpu", steps: int = 3) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3),
        torch.nn.Sigmoid(),
        torch.nn.Flatten(),
        torch.nn.LayerNorm(108),
        torch.nn.Linear(108, 4),
    ).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    inputs, targets = torch.randn(5, 1, 8, 8).to(device), torch.randint(0, 4, (5,)).to(device)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _turns_nan(device: str = "cpu", steps: int = 6, at: int = 2) -> None:
    """The logarithm of zero, and what follows from it; the mask of -inf before it is meant."""
    torch.manual_seed(0)
    weight = torch.ones(4, requires_grad=True, device=device)
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    hidden = torch.tensor([True, False, False, False]).to(device)
    for step in range(steps):
        attention = (weight * 0.1).masked_fill(hidden, float("-inf")).softmax(0)
        scores = torch.relu(weight * (0.0 if step == at else 1.0)) + attention
        loss = torch.log(scores).sum() * 0.1
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _elsewhere(options: Options) -> Options:
    return dataclasses.replace(options, reads_host=False)


def _recorded(path: Path, program: Callable[[], Any], options: Options) -> Path:
    with recorded(path, options):
        program()
    assert not Record(path).events("recorder-failed"), Record(path).events("recorder-failed")
    return path


def _table(path: Path, table: str) -> list[dict[str, Any]]:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def _first_birth(path: Path) -> Operation:
    """The first operation to make a NaN or an infinity; not the one that was told to."""
    born = [row["id"] for row in _table(path, "operation") if row["nonfinite_out"] and not row["nonfinite_in"]]
    everything = {each.id: each for each in Record(path).operations()}
    return next(everything[each] for each in born if "masked_fill" not in everything[each].operator)


def _assert_same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for column in one.keys() - _MEASURED - _NUMBERED:
            a, b = one[column], other[column]
            if column in _MOMENTS and a is not None and b is not None:
                scale = max(abs(one.get("root_mean_square") or 0), abs(a))
                assert abs(a - b) <= 1e-6 * scale, (column, one, other)
            else:
                assert a == b, (column, one, other)


@pytest.mark.parametrize("table", ["operation", "operand", "step", "parameter", "parameter_step", "probe"])
def test_the_record_is_that_of_readable_tensors(tmp_path: Path, table: str) -> None:
    here = _recorded(tmp_path / "here.wellposed", _train, LEVELS["full"])
    there = _recorded(tmp_path / "there.wellposed", _train, _elsewhere(LEVELS["full"]))
    _assert_same(_table(here, table), _table(there, table))
    if table == "operand":
        assert any(row["saturated"] is not None for row in _table(there, table))


def test_answers_come_before_rows_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows or many questions in one stretch: both are fetched on the way."""
    whole = _recorded(tmp_path / "whole.wellposed", _train, _elsewhere(LEVELS["full"]))
    with monkeypatch.context() as patch:
        patch.setattr(device_readings, "MOST_PENDING", 20)
        few_questions = _recorded(tmp_path / "questions.wellposed", _train, _elsewhere(LEVELS["full"]))
    original = Recorder.__init__

    def with_few_rows(recorder: Recorder, *args: Any) -> None:
        original(recorder, *args)
        recorder.rows_wanted = 10

    monkeypatch.setattr(Recorder, "__init__", with_few_rows)
    few_rows = _recorded(tmp_path / "rows.wellposed", _train, _elsewhere(LEVELS["full"]))
    for table in ("operand", "operation", "step", "parameter_step"):
        _assert_same(_table(whole, table), _table(few_questions, table))
        _assert_same(_table(whole, table), _table(few_rows, table))


@pytest.mark.parametrize("level", ["full", "check", "run"])
def test_the_first_operator_to_make_a_nan_is_named(tmp_path: Path, level: str) -> None:
    path = _recorded(tmp_path / "nan.wellposed", _turns_nan, _elsewhere(LEVELS[level]))
    first = _first_birth(path)
    assert (first.step, first.base) == (2, "log")
    assert first.probes == {"seen": "when the values came from the device"}
    assert first.output.statistics.negative_infinity == 1
    assert not any(each.probes for each in Record(path).operations() if "masked_fill" in each.operator)
    levels = {step.id: step.level for step in Record(path).steps()}
    assert levels[2] == levels[3] == levels[4] == "full"


def test_what_goes_wrong_again_is_looked_into_on_the_spot(tmp_path: Path) -> None:
    def program() -> None:
        weight = torch.ones(3, requires_grad=True)
        for _ in range(4):
            loss = torch.log(weight.detach() * 0 * weight).sum()
            loss.backward()

    path = _recorded(tmp_path / "again.wellposed", program, _elsewhere(LEVELS["check"]))
    logs = [each for each in Record(path).operations() if each.base == "log"]
    assert "float64" not in logs[0].probes
    assert logs[1].probes["index"] == [0]
    assert logs[1].probes["output"] == "-inf"


@pytest.mark.parametrize("level", ["check", "modules", "off"])
def test_signals_of_unwatched_steps_are_the_same(tmp_path: Path, level: str) -> None:
    here = _recorded(tmp_path / "here.wellposed", _train, LEVELS[level])
    there = _recorded(tmp_path / "there.wellposed", _train, _elsewhere(LEVELS[level]))
    for table in ("step", "module_step", "operation"):
        _assert_same(_table(here, table), _table(there, table))


def test_a_bad_gradient_is_noticed_when_the_step_ends(tmp_path: Path) -> None:
    path = _recorded(tmp_path / "nan.wellposed", _turns_nan, _elsewhere(LEVELS["off"]))
    steps = Record(path).steps()
    assert [bool(step.gradient_nonfinite) for step in steps] == [False, False, True, True, True, True]
    assert [step.level for step in steps][3:5] == ["full", "full"]


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@needs_gpu
@pytest.mark.parametrize("level", ["full", "check", "modules", "off"])
def test_gpu_is_not_waited_for_within_a_step(tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = 0
    fetch = device_readings.DeviceStatistics.fetch

    def counted(statistics: device_readings.DeviceStatistics) -> Any:
        nonlocal waits
        waits += bool(statistics.pending)
        torch.cuda.set_sync_debug_mode("default")
        try:
            return fetch(statistics)
        finally:
            torch.cuda.set_sync_debug_mode("error")

    monkeypatch.setattr(device_readings.DeviceStatistics, "fetch", counted)
    try:
        path = _recorded(tmp_path / "gpu.wellposed", lambda: _train("cuda"), LEVELS[level])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert waits == len(Record(path).steps())


@needs_gpu
@pytest.mark.parametrize("level", ["full", "check"])
def test_gpu_names_the_first_operator_to_make_a_nan(tmp_path: Path, level: str) -> None:
    path = _recorded(tmp_path / "nan.wellposed", lambda: _turns_nan("cuda"), LEVELS[level])
    first = _first_birth(path)
    assert (first.step, first.base) == (2, "log")


@needs_gpu
def test_gpu_statistics_are_those_of_the_processor(tmp_path: Path) -> None:
    path = _recorded(tmp_path / "gpu.wellposed", lambda: _train("cuda"), LEVELS["full"])
    outputs = [row for row in _table(path, "operand") if row["device"].startswith("cuda") and row["dtype"] == "float32"]
    assert outputs
    assert all(row["count"] is not None for row in outputs if row["is_output"] and row["root_mean_square"] is not None)
    assert {row["parameter"] for row in _table(path, "parameter_step")} == {1, 2, 3, 4, 5, 6}
