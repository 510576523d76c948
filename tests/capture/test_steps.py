"""What a step is in programs of every kind, and what is measured of it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tests.capture.observing import observe  # noqa: E402


def _weight(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def _losses(seen):
    return [each.loss for each in seen.record.steps()]


# --- what a step is ---------------------------------------------------------------------------------------------


def test_a_step_ends_with_the_optimizers_step(tmp_path):
    def program():
        weight = _weight(4.0)
        optimizer = torch.optim.SGD([weight], 0.25)
        for _ in range(3):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()

    seen = observe(tmp_path, program)
    assert _losses(seen) == [16.0, 4.0, 1.0]
    assert {each.step for each in seen.all("pow", "forward")} == {0, 1, 2}
    assert {each.step for each in seen.all("add", "optimizer")} == {0, 1, 2}


def test_gradients_gathered_over_batches_make_one_step(tmp_path):
    def program():
        weight = _weight(1.0)
        optimizer = torch.optim.SGD([weight], 0.1)
        for _ in range(2):
            optimizer.zero_grad()
            for batch in (1.0, 2.0, 3.0):
                (weight * batch).sum().backward()
            optimizer.step()

    seen = observe(tmp_path, program)
    first, second = seen.record.steps()
    assert first.gradient_norm == second.gradient_norm == pytest.approx(6.0)
    assert [each.step for each in seen.all("mul", "forward")] == [0, 0, 0, 1, 1, 1]


def test_two_optimizers_take_steps_in_turn(tmp_path):
    def program():
        first, second = _weight(1.0), _weight(2.0)
        optimizers = [torch.optim.SGD([first], 0.5), torch.optim.Adam([second], 0.125)]
        for _ in range(2):
            for weight, optimizer in zip((first, second), optimizers, strict=True):
                optimizer.zero_grad()
                weight.sum().backward()
                optimizer.step()

    seen = observe(tmp_path, program)
    assert [each.learning_rate for each in seen.record.steps()] == [0.5, 0.125, 0.5, 0.125]
    assert [each["class"] for each in seen.events("optimizer")] == ["SGD", "Adam"]


def test_a_closure_that_is_called_again_and_again_belongs_to_one_step(tmp_path):
    def program():
        weight = _weight(3.0)
        optimizer = torch.optim.LBFGS([weight], lr=0.1, max_iter=4)

        def closure():
            optimizer.zero_grad()
            loss = (weight**4).sum()
            loss.backward()
            return loss

        for _ in range(2):
            optimizer.step(closure)

    seen = observe(tmp_path, program)
    powers = seen.all("pow", "forward")
    assert len([each for each in powers if each.step == 0]) >= 4
    assert {each.step for each in powers} == {0, 1}
    assert {each.phase for each in powers} == {"forward"}


def test_a_step_that_a_scaler_skips_is_a_step_and_says_so(tmp_path):
    def program():
        weight = _weight(1.0)
        optimizer, scaler = torch.optim.SGD([weight], 0.1), torch.amp.GradScaler("cpu", init_scale=2.0**127)
        for _ in range(4):
            optimizer.zero_grad()
            scaler.scale((weight * 6.0).sum()).backward()
            scaler.step(optimizer)
            scaler.update()

    steps = observe(tmp_path, program).record.steps()
    assert [each.skipped for each in steps] == [True, True, False, False]  # and no fifth step
    assert [each.scale for each in steps] == [2.0**127, 2.0**126, 2.0**125, 2.0**125]
    assert steps[2].gradient_norm == pytest.approx(6.0)  # unscaled


def test_without_an_optimizer_the_next_forward_begins_a_step(tmp_path):
    def program():
        weight = torch.tensor([8.0], requires_grad=True)
        for _ in range(3):
            (weight**2).sum().backward()
            with torch.no_grad():
                weight -= 0.25 * weight.grad
                weight.grad = None

    seen = observe(tmp_path, program)
    assert _losses(seen) == [64.0, 16.0, 4.0]
    assert [each.step for each in seen.all("sub")] == [0, 1, 2]
    assert {each.phase for each in seen.all("sub")} == {"optimizer"}


def test_a_program_that_only_infers_is_one_step_of_many_calls(tmp_path):
    def program():
        model = nn.Linear(2, 2)
        with torch.no_grad():
            for _ in range(3):
                model(torch.ones(1, 2))

    seen = observe(tmp_path, program)
    assert len(seen.record.steps()) == 1
    assert [each.call for each in seen.all("addmm")] == [1, 2, 3]


def test_a_program_without_any_operator_is_one_empty_step(tmp_path):
    seen = observe(tmp_path, lambda: None)
    assert len(seen.record.steps()) == 1
    assert seen.operations == []


def test_what_follows_the_last_update_is_no_step_of_training(tmp_path):
    def program():
        weight = _weight(1.0)
        weight.sum().backward()
        torch.optim.SGD([weight], 0.1).step()
        weight.detach().exp()

    seen = observe(tmp_path, program)
    assert seen.only("exp").step == 1
    assert [each.loss for each in seen.record.steps()] == [1.0]


# --- what is measured of it -------------------------------------------------------------------------------------


def test_the_loss_is_tied_to_the_operation_that_made_it(tmp_path):
    def program():
        weight = _weight(1.0, 3.0)
        optimizer = torch.optim.SGD([weight], 0.1)
        weight.square().mean().backward()
        optimizer.step()

    seen = observe(tmp_path, program)
    assert seen.record.steps()[0].loss_operation == seen.only("mean").id


def test_the_learning_rate_follows_its_schedule_and_is_the_largest_of_the_groups(tmp_path):
    def program():
        first, second = _weight(1.0), _weight(1.0)
        optimizer = torch.optim.SGD([{"params": [first], "lr": 0.5}, {"params": [second]}], lr=0.125)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        for _ in range(3):
            (first + second).sum().backward()
            optimizer.step()
            schedule.step()

    assert [each.learning_rate for each in observe(tmp_path, program).record.steps()] == [0.5, 0.25, 0.125]


def test_gradient_and_update_norms_and_ratios_by_hand(tmp_path):
    def program():
        first, second = _weight(3.0, 4.0), _weight(10.0)
        optimizer = torch.optim.SGD([first, second], 0.5)
        (first.sum() + 2.0 * second.sum()).backward()
        optimizer.step()

    seen = observe(tmp_path, program)
    step = seen.record.steps()[0]
    assert step.gradient_norm == pytest.approx((1 + 1 + 4) ** 0.5)
    assert step.gradient_nonfinite == 0
    assert step.update_norm == pytest.approx(0.5 * (1 + 1 + 4) ** 0.5)
    ratios = [each.update_ratio for each in seen.record.parameter_steps(step=0)]
    assert ratios == [pytest.approx(0.5 * 2**0.5 / 5.0), pytest.approx(1.0 / 10.0)]
    assert [each.weight_rms for each in seen.record.parameter_steps(step=0)] == [
        pytest.approx((25 / 2) ** 0.5), pytest.approx(10.0),
    ]  # fmt: skip
    assert [each.gradient.mean for each in seen.record.parameter_steps(step=0)] == [1.0, 2.0]


def test_update_ratio_of_a_complex_parameter_counts_both_parts(tmp_path, recwarn):
    def program():
        weight = nn.Parameter(torch.tensor([3.0 + 4.0j]))
        optimizer = torch.optim.SGD([weight], 1.0)
        weight.imag.sum().backward()
        optimizer.step()

    (row,) = observe(tmp_path, program).record.parameter_steps(step=0)
    assert row.update_ratio == pytest.approx(1.0 / 5.0)
    assert not [each for each in recwarn if "omplex" in str(each.message)]


def test_gradients_that_are_not_finite_are_counted(tmp_path):
    def program():
        weight = _weight(0.0, 1.0, 0.0)
        optimizer = torch.optim.SGD([weight], 0.1)
        weight.sqrt().sum().backward()
        optimizer.step()

    step = observe(tmp_path, program).record.steps()[0]
    assert step.gradient_nonfinite == 2
    assert step.gradient_norm == pytest.approx(0.5)  # of the finite one


def test_a_parameter_without_a_gradient_has_no_row(tmp_path):
    def program():
        used, unused = _weight(1.0), _weight(1.0)
        optimizer = torch.optim.SGD([used, unused], 0.1)
        used.sum().backward()
        optimizer.step()

    seen = observe(tmp_path, program)
    assert len(seen.record.parameters()) == 2
    assert [each.parameter for each in seen.record.parameter_steps(step=0)] == [1]
