"""What a gradient and an update are measured to be, against what they are known to be."""

from __future__ import annotations

import math

from tests.rules.running import run_program

HAND_WRITTEN = """
import torch
w = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
hessian = torch.diag(torch.tensor([3.0, 3.0, 3.0, 3.0]))
for step in range(6):
    loss = 0.5 * w.flatten() @ hessian @ w.flatten()
    {gradient}
    with torch.no_grad():
        w -= 0.1 * gradient
        w.grad = None
"""


def last_steps(ran, step):
    return {each.parameter: each for each in ran.record.parameter_steps(step=step)}


def test_an_update_by_hand_is_measured_as_one_of_an_optimizer_is(tmp_path):
    for gradient in ("loss.backward(); gradient = w.grad", "(gradient,) = torch.autograd.grad(loss, [w])"):
        ran = run_program(HAND_WRITTEN.format(gradient=gradient), tmp_path)
        steps = ran.record.steps()
        assert [step.loss is not None for step in steps] == [True] * 6, ran.told()
        (measured,) = ran.record.parameter_steps(step=1)
        assert math.isclose(measured.update_ratio, 0.3, rel_tol=1e-5)
        assert measured.unchanged == 0.0


def test_the_curvature_of_a_quadratic_is_its_second_derivative(tmp_path):
    ran = run_program(HAND_WRITTEN.format(gradient="loss.backward(); gradient = w.grad"), tmp_path)
    assert all(math.isclose(step.curvature, 3.0, rel_tol=1e-4) for step in ran.record.steps()[1:5])


def test_backward_calls_of_a_step_are_counted(tmp_path):
    program = """
    import torch
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for step in range(3):
        for part in range(4):
            (w.square().sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    """
    assert [step.backwards for step in run_program(program, tmp_path).record.steps()] == [4, 4, 4]


def test_updates_below_half_an_ulp_leave_weights_unchanged(tmp_path):
    program = """
    import torch
    w = torch.ones(64, dtype=torch.{dtype}, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1e-4)
    for step in range(3):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
    """
    for dtype, share in (("bfloat16", 1.0), ("float32", 0.0)):
        ran = run_program(program.format(dtype=dtype), tmp_path)
        assert [each.unchanged for each in ran.record.parameter_steps()] == [share] * 3


def test_units_without_a_gradient_over_three_steps_are_silent(tmp_path):
    program = """
    import torch
    layer = torch.nn.Linear(4, 6)
    with torch.no_grad():
        layer.bias[:2] = -100.0
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.0)
    for step in range(4):
        optimizer.zero_grad()
        torch.relu(layer(torch.randn(64, 4))).sum().backward()
        optimizer.step()
    """
    ran = run_program(program, tmp_path)
    number = next(each.id for each in ran.record.parameters() if each.name == "Linear.weight")
    assert [last_steps(ran, step)[number].silent_units for step in range(4)] == [None, None, 2, 2]


def test_adams_ratio_is_one_at_first_and_grows_where_a_gradient_jumps(tmp_path):
    program = """
    import torch
    w = torch.ones(64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=1e-3)
    for step in range(5):
        optimizer.zero_grad()
        (w * (100.0 if step == 4 else 1.0)).sum().backward()
        optimizer.step()
    """
    ran = run_program(program, tmp_path)
    ratios = [each.adam_ratio for each in ran.record.parameter_steps()]
    assert all(math.isclose(each, 1.0, rel_tol=1e-3) for each in ratios[:4])
    # v is the mean of four squares of 1 and one of 100, weighted nearly alike
    assert math.isclose(ratios[4], 100.0 / math.sqrt((4 + 100.0**2) / 5), rel_tol=1e-2)


def test_equal_units_are_counted(tmp_path):
    program = """
    import torch
    from torch import nn
    model = nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 3))
    nn.init.constant_(model[0].weight, 0.3)
    model(torch.randn(2, 5)).sum().backward()
    """
    found = {
        each.name: (each.units, each.distinct_units) for each in run_program(program, tmp_path).record.parameters()
    }
    assert found["Sequential.0.weight"] == (8, 1)
    assert found["Sequential.1.weight"] == (3, 3)
    assert found["Sequential.0.bias"] == (None, None)


def test_weights_drawn_after_the_optimizer_was_made_are_measured_as_they_start(tmp_path):
    program = """
    import torch
    layer = torch.nn.Linear(64, 64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    torch.nn.init.constant_(layer.weight, 7.0)
    layer(torch.randn(2, 64)).sum().backward()
    optimizer.step()
    """
    found = {each.name: each.initial for each in run_program(program, tmp_path).record.parameters()}
    assert found["Linear.weight"].root_mean_square == 7.0


def test_exponents_are_those_of_the_gradient(tmp_path):
    program = """
    import torch
    w = torch.ones(5, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    (w * torch.tensor([0.0, 1.0, 1.5, 0.25, 2.0**-30])).sum().backward()
    optimizer.step()
    """
    (found,) = run_program(program, tmp_path).record.exponents()
    counts = {found.lowest + index: count for index, count in enumerate(found.counts) if count}
    assert (counts, found.zero) == ({-30: 1, -2: 1, 0: 2}, 1)
    assert sum(found.counts) == 4


def test_each_step_of_an_update_written_on_data_is_a_step(tmp_path):
    program = """
    import torch
    w, b = torch.rand(8, 4, requires_grad=True), torch.zeros(4, requires_grad=True)
    x, y = torch.rand(64, 8), torch.rand(64, 4)
    for step in range(12):
        rows = torch.randperm(64)[:16]
        loss = (x[rows] @ w + b - y[rows]).square().mean()
        loss.backward()
        for p in (w, b):
            p.data -= 0.1 * p.grad
            p.grad.zero_()
    """
    ran = run_program(program, tmp_path)
    assert len([step for step in ran.record.steps() if step.loss is not None]) == 12
    assert all(each.update_ratio and each.unchanged == 0.0 for each in ran.record.parameter_steps(step=1))


def test_memory_of_a_freed_gradient_is_no_update(tmp_path):
    program = """
    import torch
    w, b = torch.rand(8, 8, requires_grad=True), torch.zeros(8, requires_grad=True)
    x = torch.rand(8, 8)
    for step in range(12):
        loss = torch.addmm(b, torch.relu(x[torch.randperm(8)] @ w), w).square().mean()
        gradients = torch.autograd.grad(loss, [w, b])
        with torch.no_grad():
            for p, g in zip([w, b], gradients):
                p -= 0.1 * g
    """
    ran = run_program(program, tmp_path)
    assert not ran.record.events("recorder-failed")
    assert len([step for step in ran.record.steps() if step.loss is not None]) == 12


def test_weights_of_a_program_without_modules_are_known_in_its_first_pass(tmp_path):
    program = """
    import torch
    w = torch.rand(8, 4).requires_grad_()
    (torch.rand(16, 8) @ w).square().mean().backward()
    """
    ran = run_program(program, tmp_path)
    (product,) = ran.record.operations("mm", phase="forward")
    assert [each.label for each in product.inputs][1] == "parameter 1"
    made = ran.record.operation(product.inputs[1].producer)
    assert made is not None and made.base == "rand"
