"""Backward operators: the forward operation that each differentiates, and the line that counts."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from tests.capture.observing import line_of, observe  # noqa: E402


def _line(mark: str) -> int:
    return line_of(__file__, mark)


def _backward_of(seen, base: str):
    """The backward operations that differentiate operations of this base name."""
    return [
        each
        for each in seen.operations
        if each.phase == "backward" and each.forward and seen.record.operation(each.forward).base == base
    ]


def test_a_backward_operator_goes_by_the_line_of_its_forward(tmp_path):
    def program():
        x = torch.ones(3, requires_grad=True)
        y = x.exp()
        z = y.log().sum()  # log forward
        z.backward()

    seen = observe(tmp_path, program)
    division = seen.only("div", "backward")
    assert seen.record.operation(division.forward).base == "log"
    assert division.site.line == _line("log forward")


def test_phases_follow_the_program(tmp_path):
    def program():
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        model.weight.detach().abs()

    seen = observe(tmp_path, program)
    phases = [each.phase for each in seen.operations if each.operator.startswith("aten") and not each.is_view]
    assert [phase for at, phase in enumerate(phases) if phases[at - 1 : at] != [phase]] == [
        "forward", "backward", "optimizer", "forward",
    ]  # fmt: skip


def test_a_backward_operator_goes_by_the_module_of_its_forward(tmp_path):
    def program():
        model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        model(torch.ones(4, 2)).sum().backward()

    seen = observe(tmp_path, program)
    assert seen.only("tanh_backward").module == "Sequential.1"
    assert seen.only("tanh").module == "Sequential.1"


def test_lines_inside_a_module_win_over_the_line_that_calls_it(tmp_path):
    class Block(nn.Module):
        def forward(self, x):
            return x.sigmoid()  # inside the block

    def program():
        block = Block()
        block(torch.ones(2, requires_grad=True)).sum().backward()

    seen = observe(tmp_path, program)
    assert {seen.only("sigmoid").site.line, seen.only("sigmoid_backward").site.line} == {_line("inside the block")}
    assert seen.only("sigmoid").site.function == "forward"


class _Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x.square() * gradient  # custom backward


def test_a_custom_backward_has_its_own_line(tmp_path):
    def program():
        _Cube.apply(torch.ones(3, requires_grad=True)).sum().backward()

    square = observe(tmp_path, program).only("pow", "backward")
    assert square.site.line == _line("custom backward")
    assert square.site.function == "backward"


def _block(x):
    return x.sin().exp()  # checkpointed


@pytest.mark.parametrize("reentrant", [False, True])
def test_operators_under_checkpointing_keep_their_lines(tmp_path, reentrant):
    def program():
        x = torch.ones(3, requires_grad=True)
        checkpoint(_block, x, use_reentrant=reentrant).sum().backward()

    seen = observe(tmp_path, program)
    assert len(seen.all("sin")) == 2  # once more while going back
    lines = {each.site.line for each in [*seen.all("sin"), *seen.all("exp"), *seen.all("cos")]}
    assert lines == {_line("checkpointed")}
    # The derivative of the recomputed sine is tied to one of the sines.
    assert seen.record.operation(seen.only("cos").forward).base == "sin"


def test_gradients_of_gradients_keep_the_lines_of_the_forward(tmp_path):
    def program():
        x = torch.full((3,), 0.5, requires_grad=True)
        y = x.sin().sum()  # first forward
        (slope,) = torch.autograd.grad(y, x, create_graph=True)
        penalty = slope.tanh().sum()  # penalty
        penalty.backward()

    seen = observe(tmp_path, program)
    assert seen.only("cos").site.line == _line("first forward")
    assert seen.only("tanh_backward").site.line == _line("penalty")
    # d cos = -sin: differentiates the cosine, which is itself the derivative of the first sine.
    second = next(each for each in seen.all("sin") if each.phase == "backward")
    assert second.site.line == _line("first forward")
    assert seen.record.operation(second.forward).base == "cos"


def test_asking_for_gradients_twice_ties_both_to_the_forward(tmp_path):
    def program():
        x = torch.ones(3, requires_grad=True)
        y = x.tanh().sum()  # asked twice
        y.backward(retain_graph=True)
        y.backward()

    backward = observe(tmp_path, program).all("tanh_backward")
    assert len(backward) == 2
    assert {each.site.line for each in backward} == {_line("asked twice")}


def test_accumulating_gradients_is_tied_to_no_forward(tmp_path):
    def program():
        x = torch.ones(3, requires_grad=True)
        for _ in range(2):
            (x * 2.0).sum().backward()

    seen = observe(tmp_path, program)
    adding = [each for each in seen.all("add") if each.phase == "backward"]
    assert adding
    assert all(each.forward is None for each in adding)


def test_a_backward_called_by_a_library_is_told_by_the_forward_of_the_user(tmp_path):
    def program():
        x = torch.ones(3, requires_grad=True)
        loss = x.cosh().sum()  # of the user
        torch.autograd.backward([loss])

    assert observe(tmp_path, program).only("sinh").site.line == _line("of the user")


def test_nodes_of_another_step_are_not_confused(tmp_path):
    def program():
        weight = nn.Parameter(torch.ones(3))
        optimizer = torch.optim.SGD([weight], 0.1)
        for step in range(6):
            loss = (weight.tanh() if step % 2 else weight.sigmoid()).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    seen = observe(tmp_path, program)
    for each in [*seen.all("tanh_backward"), *seen.all("sigmoid_backward")]:
        forward = seen.record.operation(each.forward)
        assert forward.step == each.step
        assert each.base == f"{forward.base}_backward"


def test_every_derivative_is_tied_to_its_forward(tmp_path):
    def program():
        model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))
        nn.functional.cross_entropy(model(torch.randn(5, 4)), torch.tensor([0, 1, 2, 0, 1])).backward()

    seen = observe(tmp_path, program)
    for forward, backward in [
        ("native_layer_norm", "native_layer_norm_backward"), ("gelu", "gelu_backward"),
        ("_log_softmax", "_log_softmax_backward_data"), ("nll_loss_forward", "nll_loss_backward"),
    ]:  # fmt: skip
        assert seen.only(backward).forward == seen.only(forward).id
    assert {each.base for each in _backward_of(seen, "addmm")} >= {"mm", "sum"}
