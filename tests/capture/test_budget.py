"""The budget under a clock of our own: what recording may cost, and which steps are recorded in full."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from wellposed.capture.budget import FULL_AFTER_TROUBLE, FULL_CALLS_AT_FIRST, GROWTH, Budget
from wellposed.record import Level

Costs = Callable[[Level], float]
_SECONDS = st.floats(0.0, 50.0)


@dataclass
class Run:
    """A program whose steps each take `own` seconds, watched under a budget."""

    budget: Budget
    own: float = 0.0
    spent: float = 0.0
    unasked: float = 0.0
    """Recording time of the first steps, which are recorded whatever it costs."""
    levels: list[Level] = field(default_factory=list)

    def step(self, own: float, costs: Costs) -> Level:
        number = len(self.levels)
        level = self.budget.level(number, 0, self.own + self.spent, self.spent)
        cost = 0.0 if level == "off" else costs(level)
        self.budget.learn(level, cost)
        self.own += own
        self.spent += cost
        if number < self.budget.full_at_first:
            self.unasked += cost
        self.levels.append(level)
        return level

    def full_steps(self) -> list[int]:
        return [number for number, level in enumerate(self.levels) if level == "full"]


def _run(budget: Budget, steps: int, own: float = 1.0, full: float = 0.1, between: float = 0.01) -> Run:
    run = Run(budget)
    for _ in range(steps):
        run.step(own, lambda level: full if level == "full" else between)
    return run


@given(
    share=st.floats(0.0, 1.0),
    grace=st.floats(0.0, 20.0),
    own=st.floats(0.001, 10.0),
    costs=st.lists(st.tuples(_SECONDS, _SECONDS), min_size=1, max_size=30),
)
def test_recording_stays_within_share_and_grace_but_for_one_stretch(share, grace, own, costs):
    run = Run(Budget(share, grace_seconds=grace))
    dearest = max(itertools.chain(*costs))
    for full, between in itertools.islice(itertools.cycle(costs), 200):
        run.step(own, lambda level, full=full, between=between: full if level == "full" else between)
        allowed = grace + share * run.own
        assert run.spent <= (max(allowed, run.unasked) + dearest) * (1 + 1e-9)


@given(share=st.floats(0.01, 1.0), own=st.floats(0.01, 10.0), full=_SECONDS, between=_SECONDS)
def test_once_the_costs_are_known_nothing_is_begun_that_does_not_fit(share, own, full, between):
    run = Run(Budget(share, grace_seconds=0.0))

    def costs(level: Level) -> float:
        return full if level == "full" else between

    for number in range(200):
        knows_both = {"full", "check"} <= set(run.levels)
        before = run.spent
        run.step(own, costs)
        if knows_both and number >= run.budget.full_at_first and run.spent > before:
            assert run.spent <= share * (run.own - own) * (1 + 1e-9) + 1e-9


@given(steps=st.integers(1, 3000), at_first=st.integers(1, 5))
def test_full_steps_grow_with_the_logarithm_of_the_steps(steps, at_first):
    run = _run(Budget(None, full_at_first=at_first), steps)
    full = run.full_steps()
    assert full[:at_first] == list(range(min(at_first, steps)))
    assert len(full) <= at_first + 4 + math.log(max(steps, 2)) / math.log(GROWTH)
    # ... and never stop: the next one comes before the steps have grown by more than the factor.
    assert all(later <= GROWTH * sooner + 2 for sooner, later in itertools.pairwise(full))


def test_with_none_at_first_none_is_recorded_in_full_unasked():
    assert set(_run(Budget(None, full_at_first=0), 200).levels) == {"check"}
    assert _run(Budget(None, (7, 8), full_at_first=0), 200).full_steps() == [7, 8]


def test_every_step_between_is_watched_while_there_is_room():
    assert set(_run(Budget(None), 500).levels) == {"full", "check"}
    assert set(_run(Budget(None, watches_operators=False), 500).levels) == {"full", "modules"}


def test_a_step_is_left_alone_when_there_is_no_room():
    run = _run(Budget(0.001, grace_seconds=0.0), 500, full=0.5, between=0.1)
    assert run.levels[:3] == ["full"] * 3
    assert run.levels[-1] == "off"
    assert run.levels.count("off") > 400


def test_the_steps_that_were_asked_for_are_recorded_whatever_they_cost():
    run = _run(Budget(0.001, (100, 110), grace_seconds=0.0), 200, full=100.0)
    assert run.full_steps() == [0, 1, 2, *range(100, 111)]


def test_after_trouble_the_next_steps_are_recorded_whatever_they_cost():
    budget = Budget(0.001, grace_seconds=-1.0, full_at_first=0)
    run = _run(budget, 50, full=100.0)
    assert not run.full_steps()
    budget.trouble(50)
    for _ in range(10):
        run.step(1.0, lambda _level: 0.1)
    assert run.full_steps() == list(range(50, 51 + FULL_AFTER_TROUBLE))


def _calls(budget: Budget, step: int, calls: Iterable[int]) -> list[int]:
    return [call for call in calls if budget.level(step, call, 1.0, 0.0) == "full"]


def test_calls_inside_the_first_step_are_sampled_as_steps_are():
    full = _calls(Budget(None), 0, range(2000))
    assert full[:FULL_CALLS_AT_FIRST] == list(range(FULL_CALLS_AT_FIRST))
    assert len(full) <= FULL_CALLS_AT_FIRST + 4 + math.log(2000) / math.log(GROWTH)


def test_a_long_evaluation_before_training_takes_no_step_from_the_training():
    plain, after_evaluation = Budget(None), Budget(None)
    _calls(after_evaluation, 0, range(1000))
    levels = [[budget.level(step, 0, 1.0, 0.0) for step in range(1, 300)] for budget in (plain, after_evaluation)]
    assert levels[0].count("full") == levels[1].count("full")


def test_a_teacher_asked_in_each_step_costs_no_step_its_full_recording():
    budget = Budget(None)
    levels = [[budget.level(step, call, 1.0, 0.0) for call in range(6)] for step in range(100)]
    sampled = [each for each in levels[3:] if each[0] == "full"]
    assert len(sampled) > 5
    assert all(each[:FULL_CALLS_AT_FIRST] == ["full"] * FULL_CALLS_AT_FIRST for each in sampled)
    assert all(each[-1] == "check" for each in levels[3:])
