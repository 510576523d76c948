"""A NaN or an infinity is trouble where an operator makes it, and none where it is meant or was there before."""

from __future__ import annotations

import ctypes
import math

import pytest

torch = pytest.importorskip("torch")

from tests.capture.observing import observe  # noqa: E402
from tests.capture.recording import LEVELS  # noqa: E402

CHECK = LEVELS["check"]

TROUBLE = {
    "log": lambda: torch.zeros(3).log(),
    "div": lambda: torch.ones(3) / torch.zeros(3),
    "sqrt": lambda: (-torch.ones(3)).sqrt(),
    "exp": lambda: torch.full((2,), 90.0).exp(),
    "mul": lambda: torch.full((2,), math.inf) * torch.zeros(2),
    "sub": lambda: torch.full((2,), math.inf) - torch.full((2,), math.inf),
    "_softmax": lambda: torch.full((2, 3), -math.inf).softmax(1),
    "_to_copy": lambda: torch.full((2,), 1e5).half(),
    "mm": lambda: torch.full((2, 2), 1e20) @ torch.full((2, 2), 1e20),
    "mean": lambda: torch.ones(0).mean(),
    "reciprocal": lambda: torch.zeros(2).reciprocal_(),
}
HEALTHY = {
    "mask by masked_fill": lambda: torch.ones(3).masked_fill(torch.tensor([True, False, True]), -math.inf).softmax(0),
    "mask by full and triu": lambda: (torch.full((3, 3), -math.inf).triu(1) + torch.ones(3, 3)).softmax(1),
    "mask by fill_": lambda: torch.ones(3).fill_(-math.inf).sum(),
    "mask by item": lambda: torch.ones(3).__setitem__(1, -math.inf),
    "mask by where": lambda: torch.where(torch.tensor([True, False]), torch.ones(2), -math.inf).softmax(0),
    "uninitialised": lambda: torch.empty(1000, 100).fill_(0.0).sum(),
    "uninitialised like": lambda: torch.empty_like(torch.full((9,), math.nan)).zero_(),
    "given as data": lambda: torch.tensor([math.nan, 1.0]) + 1,
    "passed on": lambda: torch.full((3,), math.nan).sum() * 2,
    "written over": lambda: torch.full((3,), math.nan).zero_().add(1),
    "nothing at all": lambda: torch.ones(0) / torch.zeros(0),
    "integers": lambda: torch.arange(5) // 2,
}


@pytest.mark.parametrize("level", ["full", "check"])
@pytest.mark.parametrize("name", TROUBLE)
def test_a_nan_or_an_infinity_that_is_made_is_trouble_at_once(tmp_path, name, level):
    seen = observe(tmp_path, TROUBLE[name], LEVELS[level])
    assert seen.troubles() == [name]
    culprit = seen.only(name)
    assert culprit.output.nonfinite
    assert culprit.output.statistics.count == culprit.output.statistics.nonfinite


@pytest.mark.parametrize("level", ["full", "check"])
@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_meant_or_was_there_is_no_trouble(tmp_path, name, level):
    assert observe(tmp_path, HEALTHY[name], LEVELS[level]).troubles() == []


@pytest.mark.parametrize("level", ["full", "check"])
@pytest.mark.parametrize("read", [torch.Tensor.clone, lambda x: x.add_(1.0)], ids=["clone", "add_"])
def test_garbage_in_fresh_memory_is_not_held_against_its_reader(tmp_path, level, read):
    def program():
        fresh = torch.empty(64)
        ctypes.memset(fresh.data_ptr(), 0xFF, 64 * 4)  # every bit set is a NaN
        return read(fresh)

    assert observe(tmp_path, program, LEVELS[level]).troubles() == []


def test_bits_read_as_numbers_are_measured_as_such(tmp_path):
    def program():
        return torch.full((3,), 0x7F800000, dtype=torch.int32).view(torch.float32).clone()

    read = observe(tmp_path, program).only("clone")
    assert read.inputs[0].statistics.infinite == 3


def test_what_an_operator_writes_to_out_is_watched(tmp_path):
    result = torch.zeros(3)
    seen = observe(tmp_path, lambda: torch.exp(torch.full((3,), 100.0), out=result), CHECK)
    assert seen.troubles() == ["exp"]


def test_an_overflow_in_copying_is_trouble_whatever_lay_there_before(tmp_path):
    weights = torch.zeros(3, dtype=torch.float16)
    seen = observe(tmp_path, lambda: weights.copy_(torch.full((3,), 1e5)), CHECK)
    assert seen.troubles() == ["copy"]


def test_a_write_over_values_that_nobody_saw_says_nothing(tmp_path):
    unseen = torch.tensor([math.nan, 1.0])
    seen = observe(tmp_path, lambda: unseen.add_(1.0), CHECK)
    assert seen.troubles() == []


def test_a_step_that_was_only_checked_keeps_what_led_to_the_trouble(tmp_path):
    def program():
        torch.ones(3).sin().sub(math.sin(1.0)).mul(0.0).log()

    seen = observe(tmp_path, program, CHECK)
    assert [each.base for each in seen.operations] == ["ones", "sin", "sub", "mul", "log"]
    assert seen.only("log").inputs[0].producer == seen.only("mul").id
    assert seen.record.steps()[0].level == "full"


def test_a_step_that_was_only_checked_leaves_no_rows_where_all_is_well(tmp_path):
    seen = observe(tmp_path, lambda: torch.ones(3).sin(), CHECK)
    assert seen.operations == []
    assert seen.record.program.operations == 2


def test_a_fault_that_repeats_is_looked_into_a_few_times_only(tmp_path):
    def program():
        for _ in range(50):
            torch.zeros(2).log()

    assert 1 <= len(observe(tmp_path, program).troubles()) <= 5


# --- what is told of the first bad value ------------------------------------------------------------------------


def test_the_operands_at_the_first_bad_value_are_told(tmp_path):
    def program():
        numerator = torch.ones(2, 3)
        divisor = torch.tensor([4.0, 0.0, 2.0])
        return numerator / divisor

    probes = observe(tmp_path, program).only("div").probes
    assert probes["index"] == [0, 1]
    assert (probes["output"], probes["input self"], probes["input other"]) == ("inf", 1.0, 0.0)


def test_what_float64_would_have_given_is_told(tmp_path):
    probes = observe(tmp_path, lambda: torch.full((3,), 100.0).exp()).only("exp").probes
    assert probes["float64"]["infinite"] == probes["float64"]["nan"] == 0
    assert probes["float64"]["largest"] == pytest.approx(math.exp(100.0))
