"""``wellposed.watch`` and ``wellposed.audit``: the library face."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import wellposed  # noqa: E402
from wellposed.record import Record, RecordError  # noqa: E402
from wellposed.record.writer import RecordExistsError  # noqa: E402


def _pair(rate=0.01):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    return model, torch.optim.SGD(model.parameters(), rate)


def _steps(model, optimizer, count, spoil_at=None):
    x = torch.randn(16, 4)
    for step in range(count):
        loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        if step == spoil_at:
            loss = loss + torch.zeros(()).log() * 0.0  # spoils
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# --- watch --------------------------------------------------------------------------------------------------------


def test_a_healthy_stretch_is_told_healthy(tmp_path):
    model, optimizer = _pair()
    with wellposed.watch(model, optimizer, path=tmp_path / "a.wellposed") as watched:
        _steps(model, optimizer, 12)
    assert watched.diagnosis.verdict == "healthy"
    assert "healthy" in watched.report()
    with watched.record as record:
        assert len(record.steps()) == 12
        assert record.program.exit_code == 0


def test_models_and_optimizers_made_before_are_known_by_name(tmp_path):
    model, optimizer = _pair()
    with wellposed.watch(model, optimizer, path=tmp_path / "a.wellposed") as watched:
        _steps(model, optimizer, 1)
    with watched.record as record:
        assert [each.name for each in record.parameters()][:2] == ["Sequential.0.weight", "Sequential.0.bias"]
        assert {each.module for each in record.operations("tanh")} == {"Sequential.1"}
        assert record.events("optimizer")[0].details["class"] == "SGD"


def test_several_optimizers(tmp_path):
    pairs = [_pair(0.01), _pair(0.02)]
    with wellposed.watch(optimizer=(optimizer for _, optimizer in pairs), path=tmp_path / "a.wellposed") as watched:
        for model, optimizer in pairs:
            _steps(model, optimizer, 2)
    with watched.record as record:
        assert [each.learning_rate for each in record.steps()] == [0.01, 0.01, 0.02, 0.02]
        assert len(record.parameters()) == 8


def test_between_full_steps_only_modules_are_looked_at_unless_operators_are_asked_for(tmp_path):
    levels = []
    for operators in (False, True):
        model, optimizer = _pair()
        with wellposed.watch(
            model, optimizer, path=tmp_path / f"{operators}.wellposed", budget=None, operators=operators
        ) as watched:
            _steps(model, optimizer, 12)
        with watched.record as record:
            levels.append({each.level for each in record.steps()})
            if not operators:
                quiet = next(each.id for each in record.steps() if each.level == "modules")
                outputs = record.module_steps(step=quiet)
                assert {each.module for each in outputs} >= {"Sequential", "Sequential.0", "Sequential.1"}
                assert not list(record.operations(step=quiet))
    assert levels == [{"full", "modules"}, {"full", "check"}]


def test_a_nan_makes_it_look_closer(tmp_path):
    model, optimizer = _pair()
    with wellposed.watch(model, optimizer, path=tmp_path / "a.wellposed", budget=None) as watched:
        _steps(model, optimizer, 40, spoil_at=30)
    with watched.record as record:
        levels = [each.level for each in record.steps()]
        assert levels[30:33] == ["modules", "full", "full"]
        (event,) = record.events("nonfinite-loss")
        assert event.step == 30
    assert watched.diagnosis.verdict != "healthy"


def test_a_module_that_makes_nan_is_named(tmp_path):
    class Bad(nn.Module):
        def forward(self, x):
            return x.log() if x.shape[0] == 5 else x

    model = nn.Sequential(nn.Linear(4, 4), Bad(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with wellposed.watch(model, optimizer, path=tmp_path / "a.wellposed", budget=None) as watched:
        for step in range(8):
            model(-torch.ones(5 if step == 7 else 4, 4)).sum().backward()
            optimizer.step()
    with watched.record as record:
        (event,) = record.events("nonfinite-module-output")
        assert event.step == 7
        broken = {each.module: each.output.nonfinite > 0 for each in record.module_steps(step=7)}
    assert (broken["Sequential.0"], broken["Sequential.1"]) == (False, True)


def test_the_record_is_readable_inside_the_block_and_not_before(tmp_path):
    model, optimizer = _pair()
    watched = wellposed.watch(model, optimizer, path=tmp_path / "a.wellposed")
    with pytest.raises(RecordError):
        _ = watched.record
    with watched, watched.record as record:
        assert record.program.exit_code is None


def test_an_exception_passes_through_and_is_noted(tmp_path):
    with pytest.raises(KeyError), wellposed.watch(path=tmp_path / "a.wellposed") as watched:
        raise KeyError("of the user")
    assert watched.record.program.error == "KeyError: 'of the user'"


def test_what_is_no_record_of_this_folder_is_not_overwritten(tmp_path):
    path = tmp_path / "precious.txt"
    path.write_text("mine")
    with pytest.raises(RecordExistsError), wellposed.watch(path=path):
        pass
    assert path.read_text() == "mine"


def test_without_a_path_the_record_is_temporary():
    with wellposed.watch() as watched:
        torch.ones(2).exp()
    assert watched.path.suffix == ".wellposed"
    assert watched.record.program.operations == 2


# --- audit --------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))

    def forward(self, x, scale=1.0):
        return self.layers(x) * scale


def _state(model):
    buffers = [each.clone() for each in model.buffers()]
    gradients = [None if each.grad is None else each.grad.clone() for each in model.parameters()]
    weights = [each.detach().clone() for each in model.parameters()]
    return [*buffers, *gradients, *weights, torch.get_rng_state()]


@pytest.mark.parametrize("with_gradients", [False, True])
def test_the_model_is_left_as_it_was(with_gradients):
    model = Net()
    if with_gradients:
        model(torch.randn(8, 4)).sum().backward()
    before = _state(model)
    kept = [parameter.grad for parameter in model.parameters()]
    wellposed.audit(model, (torch.randn(8, 4) * 5 + 3, torch.randn(8, 2)), nn.functional.mse_loss)
    for old, new in zip(before[:-1], _state(model)[:-1], strict=True):
        assert old is new is None or torch.equal(old, new)
    assert all(old is parameter.grad for old, parameter in zip(kept, model.parameters(), strict=True))


def test_random_numbers_go_on_as_without_it():
    model, batch = Net(), torch.randn(8, 4)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    wellposed.audit(model, batch, lambda output: output.mean())
    assert torch.equal(torch.rand(4), expected)


def test_the_model_is_left_as_it_was_where_it_fails():
    model, batch = Net(), torch.randn(8, 5)
    before = _state(model)
    with pytest.raises(RuntimeError, match="shapes"):
        wellposed.audit(model, batch, lambda output: output.mean())
    assert all(old is new or torch.equal(old, new) for old, new in zip(before, _state(model), strict=True))


class WithLoss(nn.Module):
    def __init__(self, give):
        super().__init__()
        self.linear = nn.Linear(4, 1)
        self.give = give

    def forward(self, x, y=None):
        loss = (self.linear(x) - (0.0 if y is None else y)).pow(2).mean()
        return self.give(loss)


class Output:
    def __init__(self, loss):
        self.loss = loss


_X, _Y = torch.ones(3, 4), torch.zeros(3, 1)
FORMS = {
    "a tensor and a function": (Net(), _X, lambda output: output.mean()),
    "input and target": (Net(), (_X, torch.zeros(3, 2)), nn.functional.mse_loss),
    "two inputs and target": (Net(), [_X, 2.0, torch.zeros(3, 2)], nn.functional.mse_loss),
    "a mapping": (WithLoss(lambda loss: {"loss": loss}), {"x": _X, "y": _Y}, None),
    "an attribute": (WithLoss(Output), (_X, _Y), None),
    "the loss itself": (WithLoss(lambda loss: loss), _X, None),
}


@pytest.mark.parametrize("form", FORMS)
def test_ways_to_give_a_batch_and_a_loss(form):
    audited = wellposed.audit(*FORMS[form])
    with audited.record as record:
        assert len(list(record.operations(phase="backward"))) > 0
        assert math.isfinite(record.steps()[0].loss)
    assert audited.diagnosis.verdict == "healthy"


@pytest.mark.parametrize(
    "give",
    [lambda loss: loss.expand(3), lambda loss: {"cost": loss}, lambda loss: "no loss"],
    ids=["a vector", "another name", "no tensor"],
)
def test_no_scalar_loss_is_an_error_that_says_what_to_do(give):
    with pytest.raises(ValueError, match="give a loss_fn"):
        wellposed.audit(WithLoss(give), _X)


def test_a_fault_is_found_without_training(tmp_path):
    model = nn.Linear(4, 3)
    probabilities = lambda output, target: -torch.log(torch.relu(output))[:, target].mean()  # noqa: E731
    audited = wellposed.audit(model, (torch.randn(8, 4), 0), probabilities, path=tmp_path / "a.wellposed")
    assert audited.diagnosis.verdict == "unstable-function"
    assert Record(tmp_path / "a.wellposed").recorded_operations() > 0


# --- audit with an optimizer, and with curvature ------------------------------------------------------------------


def test_the_optimizer_is_seen_and_makes_no_step():
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, eps=1e-6)
    before, settings = _state(model), dict(optimizer.param_groups[0])
    audited = wellposed.audit(model, (_X, torch.zeros(3, 2)), nn.functional.mse_loss, optimizer, curvature=True)
    assert all(old is new is None or torch.equal(old, new) for old, new in zip(before, _state(model), strict=True))
    assert not optimizer.state and optimizer.param_groups[0] == settings
    with audited.record as record:
        (event,) = record.events("optimizer")
        assert (event.details["class"], event.details["lr"], event.details["eps"]) == ("AdamW", 3e-4, 1e-6)
        (step,) = record.steps()
        assert step.learning_rate == 3e-4 and step.gradient_norm > 0
        rows = record.parameter_steps()
        assert len(rows) == 6 and all(row.update_ratio is None and row.gradient is not None for row in rows)


class Quadratic(nn.Module):
    """Half the sum of curvatures times squares: its Hessian is known."""

    def __init__(self, curvatures):
        super().__init__()
        self.place = nn.Parameter(torch.ones(len(curvatures)))
        self.curvatures = torch.tensor(curvatures)

    def forward(self, _):
        return 0.5 * (self.curvatures * self.place.square()).sum()


def _curvature(model, optimizer, batch=None):
    audited = wellposed.audit(model, batch if batch is not None else _X, None, optimizer, curvature=True)
    with audited.record as record:
        (event,) = record.events("curvature")
    return event.details, audited.diagnosis


@pytest.mark.parametrize(("rate", "fires"), [(0.15, False), (0.3, True)])
def test_curvature_of_gradient_descent(rate, fires):
    model = Quadratic([10.0, 2.0, 1.0])
    details, diagnosis = _curvature(model, torch.optim.SGD(model.parameters(), rate))
    assert details["along"] == pytest.approx((1000 + 8 + 1) / (100 + 4 + 1), rel=1e-5)
    assert details["largest"] == pytest.approx(10.0, rel=1e-3)
    assert details["edge"] == 2.0 and details["rate"] == rate
    assert ("curvature-beyond-learning-rate" in {each.rule for each in diagnosis.findings}) == fires
    assert diagnosis.verdict == "healthy"


def test_the_largest_curvature_is_positive_where_a_larger_one_is_negative():
    model = Quadratic([3.0, -8.0, 0.5])
    details, _ = _curvature(model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9))
    assert details["largest"] == pytest.approx(3.0, rel=0.05)
    assert details["edge"] == pytest.approx(3.8)


def test_curvature_in_adam_s_metric():
    model = Quadratic([4.0, 4.0])
    details, _ = _curvature(model, torch.optim.Adam(model.parameters(), 1e-3, eps=0.0))
    # The first update is the sign of the gradient, (4, 4): s·Hs = 8, |g|₁ = 8; in Adam's metric 4 / 4.
    assert details["along"] == pytest.approx(1.0) and details["largest"] == pytest.approx(1.0)
    assert details["edge"] == pytest.approx(38.0)


def test_fused_attention_and_batch_norm_have_a_curvature():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.project, self.norm = nn.Linear(8, 24), nn.BatchNorm1d(8)

        def forward(self, x):
            q, k, v = self.project(x).chunk(3, -1)
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
            return self.norm(mixed.flatten(0, 1)).pow(4).mean()

    torch.manual_seed(0)
    model, batch = Net(), torch.randn(2, 6, 8)
    before = _state(model)
    details, _ = _curvature(model, torch.optim.SGD(model.parameters(), 0.1), batch)
    assert math.isfinite(details["along"]) and details["largest"] > 0
    assert all(old is new is None or torch.equal(old, new) for old, new in zip(before, _state(model), strict=True))


def test_without_a_second_derivative_there_is_a_note():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.square()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, grad):
            return grad * 2 * ctx.saved_tensors[0]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return Once.apply(x * self.weight).square().mean()

    model = Net()
    details, diagnosis = _curvature(model, torch.optim.SGD(model.parameters(), 0.1))
    assert "no second derivative" in details["note"] and "along" not in details
    assert diagnosis.verdict == "healthy" and not diagnosis.failed_rules
