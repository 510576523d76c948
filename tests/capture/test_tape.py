"""What the tape says of operators: who wrote the values that each reads, their statistics, and wrapped tensors."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from tests.capture.observing import observe  # noqa: E402

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


# --- tensors that wrap others -------------------------------------------------------------------------------------


class _Wrapper(torch.Tensor):
    """Claims memory at an offset where there is none, as a distributed tensor does."""

    @staticmethod
    def __new__(cls, inner, attribute):
        wrapper = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=32, dtype=inner.dtype
        )
        setattr(wrapper, attribute, inner)
        wrapper.attribute = attribute
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        name = next(each.attribute for each in args if isinstance(each, cls))
        inner = [getattr(each, name) if isinstance(each, cls) else each for each in args]
        return cls(func(*inner, **(kwargs or {})), name)


def test_of_a_distributed_tensor_the_local_part_is_read(tmp_path):
    seen = observe(tmp_path, lambda: torch.log(_Wrapper(torch.tensor([0.0, 1.0]), "_local_tensor")))
    assert seen.only("log").output.statistics.infinite == 1
    assert seen.only("log").inputs[0].statistics.zero == 1


def test_a_wrapper_that_is_not_understood_is_left_alone(tmp_path):
    seen = observe(tmp_path, lambda: torch.log(_Wrapper(torch.tensor([0.0, 1.0]), "hidden")))
    assert seen.only("log").inputs == seen.only("log").outputs == ()
