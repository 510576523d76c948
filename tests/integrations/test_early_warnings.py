"""``wellposed.watch`` warns before the loss goes, and stops the run where it was asked to."""

from __future__ import annotations

import itertools
import logging
import math
import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import wellposed  # noqa: E402
from wellposed.capture.recording import Options, Recording  # noqa: E402


def _net(make=lambda parameters: torch.optim.SGD(parameters, 0.01)):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
    return model, make(model.parameters())


def _train(model, optimizer, steps=20, *, spoil_at=None, jump_at=None, scale=30.0, goes_on=False):
    """Losses, one a step; `spoil_at` makes a gradient NaN, from `jump_at` on the targets are larger."""
    torch.manual_seed(1)
    losses = []
    for step in range(steps):
        x = torch.randn(32, 8)
        y = x.sum(1, keepdim=True) * (scale if jump_at is not None and step >= jump_at else 1.0)
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if step == spoil_at:
            model[0].weight.grad[0, 0] = math.nan
        try:
            optimizer.step()
        except wellposed.StoppedByWatch:
            if not goes_on:
                raise
        losses.append(loss.item())
    return losses


def _watch(model, optimizer, tmp_path, **options):
    return wellposed.watch(model, optimizer, path=tmp_path / "a.wellposed", **options)


# --- being told ---------------------------------------------------------------------------------------------------


def test_a_callable_receives_what_crossed_the_threshold(tmp_path):
    told = []
    model, optimizer = _net(lambda parameters: torch.optim.Adam(parameters, 0.01))
    with _watch(model, optimizer, tmp_path, on_warning=told.append) as watched:
        _train(model, optimizer, 60, jump_at=50)
    by_name = {each.signal: each for each in told}
    assert {"adam-ratio", "loss-spike", "gradient-spike"} <= by_name.keys()
    found = by_name["adam-ratio"]
    assert isinstance(found, wellposed.EarlyWarning)
    assert found.step == 51 and found.value > found.threshold >= 4.0 and found.history[-1] == found.value
    assert found.where.startswith("Sequential.") and "1 to 8 steps" in found.precedes
    with watched.record as record:
        events = {event.details["signal"]: event for event in record.events("early-warning")}
        assert events["adam-ratio"].step == 51 and events["adam-ratio"].details["where"] == found.where
        assert not record.events("recorder-failed")


def test_adam_s_ratio_is_what_the_record_measures_after_the_update(tmp_path):
    model, optimizer = _net(lambda parameters: torch.optim.Adam(parameters, 0.01))
    fed = []
    with _watch(model, optimizer, tmp_path, budget=None, operators=True, on_warning=lambda _: None) as watched:
        feed = watched._recording._session._warnings._samples
        inner = feed._feed
        feed._feed = lambda *given: (fed.append(given), inner(*given))
        _train(model, optimizer, 3)
    with watched.record as record:
        name = {each.id: each.name for each in record.parameters()}
        measured = {name[each.parameter]: each for each in record.parameter_steps(step=2)}
    of_last = [(value, where) for quantity, value, where in fed if quantity == "adam_ratio"][-2:]
    for value, where in of_last:  # parameters small enough to be read whole, or nearly
        assert value == pytest.approx(measured[where].adam_ratio, rel=0.15)
    ratios = [(value, where) for quantity, value, where in fed if quantity == "update_ratio"][-2:]
    assert {where for _, where in ratios} == {"Sequential.0.weight", "Sequential.2.weight"}
    for value, where in ratios:
        assert value == pytest.approx(measured[where].update_ratio, rel=0.25)


def test_python_warnings_come_from_the_user_s_line_and_only_once(tmp_path):
    model, optimizer = _net()
    with warnings.catch_warnings(record=True) as caught, _watch(model, optimizer, tmp_path):
        warnings.simplefilter("always")
        _train(model, optimizer, 30, spoil_at=5)
    found = [each for each in caught if each.category is wellposed.InstabilityWarning]
    assert [str(each.message).split()[0] for each in found].count("nonfinite-gradient") == 1
    assert all(each.filename == __file__ for each in found)


def test_warnings_turned_into_errors_stop_the_run(tmp_path):
    model, optimizer = _net()
    with warnings.catch_warnings():
        warnings.simplefilter("error", wellposed.InstabilityWarning)
        with pytest.raises(wellposed.InstabilityWarning), _watch(model, optimizer, tmp_path):
            _train(model, optimizer, 30, spoil_at=5)
    assert all(each.isfinite().all() for each in model.parameters())


def test_the_log(tmp_path, caplog):
    model, optimizer = _net()
    with caplog.at_level(logging.WARNING, "wellposed"), _watch(model, optimizer, tmp_path, on_warning="logging"):
        _train(model, optimizer, 8, spoil_at=5)
    assert any("nonfinite-gradient at step 5" in each.message for each in caplog.records)


def test_none_is_silence(tmp_path):
    model, optimizer = _net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with _watch(model, optimizer, tmp_path, on_warning=None):
            _train(model, optimizer, 8, spoil_at=5)


def test_a_callback_that_fails_is_told_once_and_training_goes_on(tmp_path):
    def fail(_):
        raise KeyError("of the user")

    model, optimizer = _net(lambda parameters: torch.optim.Adam(parameters, 0.01))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _watch(model, optimizer, tmp_path, on_warning=fail) as watched:
            assert len(_train(model, optimizer, 60, jump_at=50)) == 60
    assert ["of the user" in str(each.message) for each in caught if each.category is RuntimeWarning] == [True]
    with watched.record as record:
        assert len(record.steps()) == 60 and not record.events("recorder-failed")


# --- being stopped ------------------------------------------------------------------------------------------------


def test_the_weights_are_not_poisoned(tmp_path):
    model, optimizer = _net()
    twin, its_optimizer = _net()
    with (
        pytest.raises(wellposed.StoppedByWatch, match="nonfinite-gradient") as stopped,
        _watch(model, optimizer, tmp_path, on_warning=None, stop_on="nonfinite-gradient") as watched,
    ):
        _train(model, optimizer, 20, spoil_at=12)
    assert stopped.value.warning.step == 12
    _train(twin, its_optimizer, 12)
    for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine, other)
    with watched.record as record:
        assert len(record.steps()) == 13 and "StoppedByWatch" in record.program.error


@pytest.mark.parametrize("names", ["any", ["loss-spike"], ("loss-divergence", "adam-ratio"), ["gradient-spike"]])
def test_signals_that_stop_before_the_update(tmp_path, names):
    model, optimizer = _net(lambda parameters: torch.optim.Adam(parameters, 0.01))
    twin, its_optimizer = _net(lambda parameters: torch.optim.Adam(parameters, 0.01))
    with (
        pytest.raises(wellposed.StoppedByWatch),
        _watch(model, optimizer, tmp_path, on_warning=None, stop_on=names),
    ):
        _train(model, optimizer, 60, jump_at=50)
    _train(twin, its_optimizer, 50)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


def test_a_program_may_catch_it_and_go_on(tmp_path):
    model, optimizer = _net()
    with _watch(model, optimizer, tmp_path, on_warning=None, stop_on=["nonfinite-gradient"]) as watched:
        _train(model, optimizer, 10, spoil_at=4, goes_on=True)
        _train(model, optimizer, 10, spoil_at=4, goes_on=True)
    assert all(each.isfinite().all() for each in model.parameters())
    with watched.record as record:
        assert not record.events("recorder-failed")


def test_a_callback_may_stop_the_run_itself(tmp_path):
    def stop(found):
        raise wellposed.StoppedByWatch(found)

    model, optimizer = _net()
    with pytest.raises(wellposed.StoppedByWatch), _watch(model, optimizer, tmp_path, on_warning=stop):
        _train(model, optimizer, 8, spoil_at=5)
    assert all(each.isfinite().all() for each in model.parameters())


def test_names_are_checked_before_anything_is_recorded(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'nonfinite-gradient'"):
        wellposed.watch(path=tmp_path / "a", stop_on=["non-finite-gradient"])
    with pytest.raises(ValueError, match="did you mean 'warnings'"):
        wellposed.watch(path=tmp_path / "a", on_warning="warning")
    assert not list(tmp_path.iterdir())


# --- seeing -------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, fused):
        super().__init__()
        self.fused, self.scale = fused, nn.Parameter(torch.ones(()))

    def forward(self, x):
        q = x * self.scale
        if self.fused:
            return nn.functional.scaled_dot_product_attention(q, x, x, scale=1.0)
        return torch.dropout(torch.softmax(q @ x.transpose(-1, -2), -1), 0.1, True) @ x


def _quantities(model, tmp_path, batch, steps=1, **options):
    seen = {}
    optimizer = torch.optim.SGD(model.parameters(), 1e-6)
    with _watch(model, optimizer, tmp_path, on_warning=lambda _: None, **options) as watched:
        panel = watched._recording._session._warnings._panel
        inner = panel.see
        see = lambda *given: (seen.setdefault(given[0], []).append(given[1:]), inner(*given))[1]  # noqa: E731
        watched._recording._session._warnings._panel = type("Heard", (), {"see": staticmethod(see), "is_news": bool})
        for _ in range(steps):
            model(batch).sum().backward()
            optimizer.step()
    return seen


@pytest.mark.parametrize("fused", [False, True])
def test_attention_is_heard(tmp_path, fused):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 16, 8)
    seen = _quantities(Attention(fused), tmp_path, x)
    logits = x @ x.transpose(-1, -2)
    ((step, value, where),) = seen["attention_logit"]
    assert (step, where) == (0, "Attention")
    if fused:
        assert logits.max() - math.log(16) - 1e-4 <= value <= logits.max() + 1e-4
    else:
        assert value == pytest.approx(logits.max().item(), rel=1e-5)
        ((_, keys, _),) = seen["attended_keys"]
        assert keys == pytest.approx(1 / torch.softmax(logits, -1).square().sum(-1).mean().item(), rel=1e-4)


def test_log_z_is_heard(tmp_path):
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return nn.functional.cross_entropy(x * self.scale, torch.zeros(len(x), dtype=torch.long))

    x = torch.randn(32, 10) + 7
    ((_, value, _),) = _quantities(Classifier(), tmp_path, x)["log_partition"]
    assert value == pytest.approx(torch.logsumexp(x, 1).mean().item(), rel=1e-5)


def test_between_the_full_steps_every_tenth_is_listened_to(tmp_path):
    seen = _quantities(Attention(True), tmp_path, torch.randn(1, 1, 8, 4), steps=40)
    steps = [step for step, _, _ in seen["attention_logit"]]
    assert max(b - a for a, b in itertools.pairwise(steps)) <= 11 and len(steps) < 30


def test_two_optimizers_have_histories_of_their_own(tmp_path):
    (one, first), (two, second) = _net(), _net()
    seen = set()
    with wellposed.watch(path=tmp_path / "a.wellposed", on_warning=lambda _: None) as watched:
        panel = watched._recording._session._warnings._panel
        for _ in range(3):
            _train(one, first, 1)
            _train(two, second, 1)
        seen = {where for name, where in panel._detectors if name == "gradient-spike"}
    assert seen == {"", "optimizer 2, SGD"}


# --- leaving the program alone ------------------------------------------------------------------------------------


MAKE = {
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9),
    "Adam": lambda parameters: torch.optim.Adam(parameters, 0.02),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_results_are_the_same_to_the_last_bit(tmp_path, make):
    model, optimizer = _net(make)
    expected = _train(model, optimizer, 40, jump_at=30)
    again, its_optimizer = _net(make)
    with _watch(again, its_optimizer, tmp_path, on_warning=lambda _: torch.rand(0), stop_on=["attention-logits"]):
        found = _train(again, its_optimizer, 40, jump_at=30)
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_values_that_come_late_from_a_device_are_told_too(tmp_path):
    """Without a device: the processor's memory is taken for one's."""
    told = []
    model, optimizer = _net(lambda parameters: torch.optim.Adam(parameters, 0.01))
    options = Options(
        budget=None, watches_operators=False, full_at_first=1, reads_host=False, warns=True, on_warning=told.append,
        stop_on=("nonfinite-gradient",),
    )  # fmt: skip
    meta = {"argv": ["test"], "script": "test", "folder": str(tmp_path)}
    recording = Recording(tmp_path / "r.wellposed", options, meta)
    recording.start()
    try:
        recording.adopt(model, optimizers=[optimizer])
        with pytest.raises(wellposed.StoppedByWatch):
            _train(model, optimizer, 70, jump_at=50, spoil_at=60)
    finally:
        recording.stop(0, None)
    assert {"adam-ratio", "loss-spike", "gradient-spike"} <= {each.signal for each in told}
    assert all(each.isfinite().all() for each in model.parameters())


def test_a_channels_last_convolution_and_a_frozen_layer(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.LazyLinear(1))
    model(torch.randn(1, 3, 8, 8))
    model[0].requires_grad_(False)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    with _watch(model, optimizer, tmp_path, on_warning=lambda _: None) as watched:
        for _ in range(6):
            model(torch.randn(4, 3, 8, 8)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        names = {
            where for name, where in watched._recording._session._warnings._panel._detectors if name == "adam-ratio"
        }
    assert "Sequential.2.weight" in names and "Sequential.0.weight" not in names
    with watched.record as record:
        assert not record.events("recorder-failed")


def test_where_float64_is_the_default(tmp_path):
    torch.set_default_dtype(torch.float64)
    try:
        for number, make in enumerate(MAKE.values()):
            model, optimizer = _net(make)
            with wellposed.watch(model, optimizer, path=tmp_path / f"{number}.wellposed", on_warning=None) as watched:
                _train(model, optimizer, 5)
            with wellposed.watch(
                model, optimizer, path=tmp_path / f"{number}.wellposed", on_warning=lambda _: None
            ) as watched:
                _train(model, optimizer, 5)
            with watched.record as record:
                assert not record.events("recorder-failed")
    finally:
        torch.set_default_dtype(torch.float32)
