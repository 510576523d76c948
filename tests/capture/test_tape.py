"""What the tape says of operators: who wrote the values that each reads, their statistics, and what is no trouble."""

from __future__ import annotations

import ctypes
import math

import pytest

torch = pytest.importorskip("torch")

from tests.capture.observing import observe  # noqa: E402
from tests.capture.recording import LEVELS  # noqa: E402

CHECK = LEVELS["check"]


# --- who wrote what an operator reads ---------------------------------------------------------------------------

VIEWS = {
    "slice": lambda x: x[2:],
    "column": lambda x: x[:, 1],
    "transpose": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "reshape": lambda x: x.reshape(2, 8),
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(),
    "unsqueeze and expand": lambda x: x.unsqueeze(0).expand(3, 4, 4),
    "diagonal": lambda x: x.diagonal(),
    "unbind": lambda x: x.unbind(0)[3],
    "split": lambda x: x.split(2)[1],
    "chunk": lambda x: x.chunk(2, dim=1)[1],
    "narrow": lambda x: x.narrow(0, 1, 2),
    "as_strided": lambda x: x.as_strided((3,), (5,), 1),
    "detach": lambda x: x.detach(),
    "numpy": lambda x: torch.from_numpy(x.numpy()),
    "view as another dtype": lambda x: x.view(torch.int32),
    "view twice": lambda x: x[1:].t()[2:],
}


@pytest.mark.parametrize("view", VIEWS)
def test_values_seen_through_a_view_are_those_of_their_writer(tmp_path, view):
    def program():
        made = torch.arange(16.0).reshape(4, 4).sin()
        VIEWS[view](made).abs()

    seen = observe(tmp_path, program)
    assert seen.only("abs").inputs[0].producer == seen.only("sin").id


def test_a_view_is_told_from_a_result_and_has_no_statistics(tmp_path):
    seen = observe(tmp_path, lambda: torch.arange(6.0).sin()[2:].cos())
    assert seen.only("slice").is_view
    assert seen.only("slice").output.statistics is None
    assert not seen.only("cos").is_view


IN_PLACE = {
    "add_": lambda x: x.add_(1),
    "operator": lambda x: x.__imul__(2),
    "fill_": lambda x: x.fill_(3),
    "copy_": lambda x: x.copy_(torch.ones(4)),
    "out=": lambda x: torch.exp(torch.ones(4), out=x),
    "masked_fill_": lambda x: x.masked_fill_(torch.ones(4, dtype=torch.bool), 2.0),
    "index_put_": lambda x: x.__setitem__(torch.tensor([0, 1, 2, 3]), torch.ones(4)),
    "scatter_": lambda x: x.scatter_(0, torch.arange(4), torch.ones(4)),
    "clamp_": lambda x: x.clamp_(0, 1),
    "through a view": lambda x: x.view(2, 2).mul_(2),
    "foreach": lambda x: torch._foreach_add_([x], 1.0),
}


@pytest.mark.parametrize("write", IN_PLACE)
def test_what_was_written_in_place_is_read_from_the_write(tmp_path, write):
    def program():
        x = torch.arange(4.0).sin()
        IN_PLACE[write](x)
        x.abs()

    seen = observe(tmp_path, program)
    read = seen.only("abs")
    writer = seen.record.operation(read.inputs[0].producer)
    assert writer.id > seen.only("sin").id
    assert writer.id == max(each.id for each in seen.operations if each.id < read.id and not each.is_view)


def test_a_part_that_was_written_belongs_to_its_write_and_the_rest_to_the_first(tmp_path):
    def program():
        x = torch.arange(16.0).reshape(4, 4).sin()
        x[1] = 7.0
        x[0].abs(), x[1].exp(), x.neg()

    seen = observe(tmp_path, program)
    assert seen.only("abs").inputs[0].producer == seen.only("sin").id
    assert seen.only("exp").inputs[0].producer == seen.only("fill").id
    assert seen.only("neg").inputs[0].producer == seen.only("fill").id  # the latest writer of any part


def test_a_write_to_a_strided_part_is_seen_through_the_whole(tmp_path):
    def program():
        x = torch.zeros(3, 3).sin()
        x[:, 0] = 5.0
        return x.abs()

    seen = observe(tmp_path, program)
    read = seen.only("abs")
    assert read.inputs[0].producer == seen.only("fill").id
    assert read.inputs[0].statistics.maximum == 5.0  # taken anew, not those of either writer


def test_a_tuple_of_results_is_known_one_by_one(tmp_path):
    def program():
        values, indices = torch.arange(12.0).reshape(3, 4).sort(dim=1, descending=True)
        values.abs(), indices.sum()

    seen = observe(tmp_path, program)
    sort = seen.only("sort")
    assert [each.dtype for each in sort.outputs] == ["float32", "int64"]
    assert seen.only("abs").inputs[0].producer == seen.only("sum").inputs[0].producer == sort.id


def test_lists_of_tensors_are_operands_one_by_one(tmp_path):
    def program():
        torch.cat([torch.ones(2).sin(), torch.ones(3).cos()])

    seen = observe(tmp_path, program)
    cat = seen.only("cat")
    assert [each.producer for each in cat.inputs] == [seen.only("sin").id, seen.only("cos").id]
    assert [each.shape for each in cat.inputs] == [(2,), (3,)]


def test_operands_go_by_the_names_of_the_schema_and_the_rest_are_arguments(tmp_path):
    def program():
        torch.nn.functional.layer_norm(torch.ones(2, 4), [4], torch.ones(4), torch.zeros(4), eps=1e-3)
        torch.ones(2).add(torch.ones(2), alpha=2)

    seen = observe(tmp_path, program)
    norm = seen.only("native_layer_norm")
    assert [each.name for each in norm.inputs] == ["input", "weight", "bias"]
    assert norm.arguments["eps"] == 1e-3
    assert norm.arguments["normalized_shape"] == [4]
    add = seen.only("add")
    assert [each.name for each in add.inputs] == ["self", "other"]
    assert add.arguments == {"alpha": 2}


# --- statistics -------------------------------------------------------------------------------------------------


def test_statistics_of_a_result(tmp_path):
    seen = observe(tmp_path, lambda: torch.tensor([-2.0, 0.0, 1e-40, math.inf, math.nan, 6.0]).clone())
    told = seen.only("clone").output.statistics
    assert (told.count, told.nan, told.infinite, told.zero, told.subnormal) == (6, 1, 1, 1, 1)
    assert (told.minimum, told.maximum, told.mean) == (-2.0, 6.0, pytest.approx(1.0))
    assert told.smallest_nonzero == pytest.approx(1e-40, rel=1e-3)


def test_statistics_of_an_input_are_those_of_its_writer_or_taken_anew(tmp_path):
    def program():
        x = torch.arange(8.0).sin()
        x.abs(), x[:2].neg()

    seen = observe(tmp_path, program)
    assert seen.only("abs").inputs[0].statistics == seen.only("sin").output.statistics
    assert seen.only("neg").inputs[0].statistics.count == 2


def test_statistics_do_not_outlive_the_values(tmp_path):
    x = torch.ones(4)

    def program():
        x.abs()
        x.mul_(50)
        x.neg()

    seen = observe(tmp_path, program)
    assert seen.only("abs").inputs[0].statistics.maximum == 1.0
    assert seen.only("neg").inputs[0].statistics.maximum == 50.0


@pytest.mark.parametrize(
    ("function", "saturated"),
    [(torch.sigmoid, 2), (torch.tanh, 3), (lambda x: torch.softmax(x, 0), 1), (torch.exp, None)],
    ids=["sigmoid", "tanh", "softmax", "exp"],
)
def test_saturation_is_counted_where_a_function_saturates(tmp_path, function, saturated):
    seen = observe(tmp_path, lambda: function(torch.tensor([-50.0, -4.0, 0.0, 50.0])))
    assert seen.operations[-1].output.statistics.saturated == saturated


# --- trouble and what is none -----------------------------------------------------------------------------------

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
