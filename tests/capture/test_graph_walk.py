"""A loss that is not finite in a step whose operators nobody watched: what the autograd graph still tells."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tests.capture.observing import line_of, observe  # noqa: E402
from wellposed.capture.graph_walk import find_in_graph  # noqa: E402
from wellposed.capture.recording import Options  # noqa: E402

# Step 0 in full, then nobody looks: as a run whose budget is spent.
SPENT = Options(budget=0.0, grace_seconds=-1.0, full_at_first=1)


def _x(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


CULPRITS = {
    "log of 0": (lambda: _x(1.0, 0.0).log().sum(), "log"),
    "log of a negative": (lambda: _x(1.0, -2.0).log().sum(), "log"),
    "log1p of -1": (lambda: _x(0.0, -1.0).log1p().sum(), "log1p"),
    "0 over 0": (lambda: (_x(0.0, 1.0) / _x(0.0, 1.0)).sum(), "div"),
    "1 over 0": (lambda: (1.0 / _x(0.0, 1.0)).sum(), "reciprocal"),
    "exp": (lambda: _x(1.0, 1000.0).exp().sum(), "exp"),
    "sqrt of a negative": (lambda: _x(1.0, -1.0).sqrt().sum(), "sqrt"),
    "rsqrt of 0": (lambda: _x(1.0, 0.0).rsqrt().sum(), "rsqrt"),
    "acos beyond 1": (lambda: _x(0.5, 1.5).acos().sum(), "acos"),
    "atanh of 1": (lambda: _x(0.5, 1.0).atanh().sum(), "atanh"),
    "a fractional power": (lambda: (_x(-1.0, 1.0) ** 0.3).sum(), "pow"),
    "a negative power": (lambda: (_x(0.0, 1.0) ** -2).sum(), "pow"),
}


@pytest.mark.parametrize("name", CULPRITS)
def test_the_culprit_is_named(name):
    make, operator = CULPRITS[name]
    loss = make()
    assert not math.isfinite(loss.item())
    assert find_in_graph(loss * 2.0 + 1.0).operator == operator


def test_the_first_culprit_is_named_not_what_followed():
    x = _x(0.0, 1.0)
    broken = (x / x).exp()
    loss = broken.log().sum() + _x(-1.0).sqrt().sum()
    found = find_in_graph(loss)
    assert (found.operator, found.why) == ("div", "a divisor that is 0")


HEALTHY = {
    "softmax with a mask": lambda: _x(1.0, 2.0, 3.0).masked_fill(torch.tensor([1, 0, 0]) > 0, -math.inf).softmax(0)[2],
    "attention with a mask": lambda: nn.functional.scaled_dot_product_attention(
        torch.ones(1, 1, 3, 2, requires_grad=True), torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2), is_causal=True
    ).sum(),
    "logarithm of what is positive": lambda: _x(1e-30, 5.0).log().sum(),
    "division of 0": lambda: (_x(0.0, 1.0) / 3.0).sum(),
    "powers": lambda: (_x(-1.0, 0.0) ** 2 + _x(0.0, 1.0) ** 0.5 + _x(-2.0, 1.0) ** -1.0).sum(),
    "no graph at all": lambda: torch.tensor(math.nan),
    "data that was broken before": lambda: (_x(1.0, 2.0) * torch.tensor(math.nan)).sum(),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_nobody_is_accused_where_nothing_was_made(name):
    assert find_in_graph(HEALTHY[name]()) is None


def test_a_masked_softmax_beside_the_culprit_is_not_accused():
    scores = _x(1.0, 2.0, 3.0)
    weights = scores.masked_fill(torch.tensor([True, False, False]), -math.inf).softmax(0)
    assert find_in_graph((weights.sum() - 1.0).log().sum() + weights[0].log()).operator == "log"


def test_a_graph_that_is_freed_or_written_over_tells_nothing_and_breaks_nothing():
    x = _x(1.0, 4.0)
    loss = (x / x.sqrt()).sum()
    loss.backward()
    assert find_in_graph(loss) is None
    y = _x(1.0, 0.0)
    made = y.exp()
    loss = made.log().sum()
    made.data.zero_()
    made.add_(0.0)
    find_in_graph(loss)


def _train(loss_of, steps=12):
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], 0.0)
    for step in range(steps):
        loss = loss_of(weight, 1.0 if step < steps - 1 else 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_the_culprit_of_an_unwatched_step_is_told_with_its_line(tmp_path):
    def loss_of(weight, factor):
        hidden = weight.sin().exp()
        scaled = hidden * factor
        return scaled.log().sum()  # takes the logarithm

    seen = observe(tmp_path, lambda: _train(loss_of), SPENT)
    assert [each.level for each in seen.record.steps()][10:] == ["off", "off"]
    (found,) = seen.record.events("found-in-graph")
    assert (found.step, found.details["operator"]) == (11, "log")
    assert found.site.line == line_of(__file__, "takes the logarithm")
    assert seen.events("nonfinite-loss")[0]["loss"] == "-inf"


def test_the_step_after_is_recorded_in_full(tmp_path):
    seen = observe(tmp_path, lambda: _train(lambda weight, _: (weight * 0.0).log().sum(), steps=3), SPENT)
    levels = [each.level for each in seen.record.steps()]
    assert levels == ["full", "full", "full"]


def test_a_loss_that_nothing_in_the_graph_explains_is_still_told(tmp_path):
    def loss_of(weight, factor):
        return (weight * (math.nan if not factor else 1.0)).sum()

    seen = observe(tmp_path, lambda: _train(loss_of), SPENT)
    assert seen.events("nonfinite-loss") == [{"loss": "nan", "level": "off"}]
    assert seen.events("found-in-graph") == []
