"""What became of a run: the loss lost, grown, or resting where it began. Rules about training ask it before they call
something a fault: what is odd and did no harm is advice at most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from wellposed.record import Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.chance import chance_of, variance_of_targets
from wellposed.rules.numerics.gradients.diverged_values import overflowed_from
from wellposed.rules.numerics.growth import magnitude
from wellposed.rules.numerics.trends import FEWEST_LOSSES, LossTrend, loss_trend
from wellposed.rules.numerics.wording import number

Kind = Literal["lost", "grown", "stuck"]

ABOVE_CHANCE = 1.5
NEAR_CHANCE = 0.75
"""First and last loss over that of a guess: a sound start lies within a tenth of it, and what was learned shows
below."""
FAR_ABOVE = 3.0
"""First squared error over the variance of the targets: models that predict 0 of centred targets begin near 1."""
ONLY_THE_MEAN = 0.9
"""Last squared error over that variance: a model that has learned the mean of its targets and nothing else."""
BEYOND = 1e6
"""No value of a model at work is as large (TheDeepChecker's limit for gradients)."""
GROWN = 2.0
"""A loss that ends at twice what it began with, or more, was better left untrained (early-stopping rules use its
minimum; the first loss is the milder measure)."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What the loss suffered, with the numbers that show it."""

    kind: Kind
    trend: LossTrend

    @property
    def words(self) -> str:
        """The end of a sentence: "and the loss stays at 0.693"."""
        trend = self.trend
        if self.kind == "lost" and trend.first_nonfinite is not None:
            return f"and the loss is lost at step {trend.first_nonfinite}"
        if self.kind == "stuck":
            return f"and the loss does not improve: {number(trend.early)} at first, {number(trend.late)} at the end"
        return f"and the loss grows from {number(trend.first)} to {number(trend.late)}"


def harm_of(record: Record) -> Harm | None:
    """None for a run whose loss improved, and for one too short to tell."""
    trend = loss_trend(record)
    if trend is None:
        return None
    if trend.first_nonfinite is not None:
        return Harm("lost", trend) if _grew_until(record, trend.first_nonfinite) else None
    if trend.ruined:
        return Harm("lost", trend)
    if trend.count >= 3 and trend.late > GROWN * max(abs(trend.first), abs(trend.lowest)):
        return Harm("grown", trend)
    if not math.isfinite(trend.late):
        return None
    return Harm("stuck", trend) if trend.stuck or _no_better_than_a_guess(record, trend) else None


def stuck(record: Record) -> Harm | None:
    """The harm of a run whose loss stays where it began; None for every other run."""
    harm = harm_of(record)
    return harm if harm is not None and harm.kind == "stuck" else None


def _no_better_than_a_guess(record: Record, trend: LossTrend) -> bool:
    """Whether a loss that began far above what guessing costs only came down to it."""
    if trend.count < FEWEST_LOSSES:
        return False
    chance, variance = chance_of(record), variance_of_targets(record)
    if variance is not None and variance > 0:
        return trend.first > FAR_ABOVE * variance and trend.late > ONLY_THE_MEAN * variance
    if chance is None:
        return False
    return max(trend.first, trend.early) > ABOVE_CHANCE * chance.loss and trend.late > NEAR_CHANCE * chance.loss


def _grew_until(record: Record, lost: int) -> bool:
    """Whether the loss was lost by growing, in what it was before or in the very step that overflowed; one that turned
    NaN from an ordinary value is told by the rules that know the operator which did it."""
    births = [birth for birth in original_births(record) if birth.operation.step <= lost]
    if any(overflowed_from(birth) is None and not _inherits(birth) for birth in births):
        return False
    before = [abs(step.loss) for step in record.steps() if step.loss is not None and step.id < lost]
    finite = [loss for loss in before if math.isfinite(loss)]
    return bool(births) or (bool(finite) and finite[-1] > GROWN * min(finite))


def _inherits(birth: Birth) -> bool:
    """Whether an operator outside our knowledge made NaN of values that had grown beyond all bounds."""
    largest = max((magnitude(birth.operation, each) for each in birth.operation.inputs), default=0.0)
    return largest > BEYOND
