"""How quantities move over steps, over layers and along chains: medians, log-linear fits, and what the loss did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wellposed.findings import Series
from wellposed.record import Record, Step

FEWEST_LOSSES = 12
"""A loss that was seen less often has no trend to speak of."""
FLAT = 0.05
"""A loss whose late median lies less than 5 % below its early median does not improve: a signal that is lost teaches
nothing, while training that works takes a tenth off the loss within its first dozens of steps."""
SMALL_FALL = 0.2
"""What fitting the last bias alone may take off a loss; a model that learns comes below before it rests."""
EARLY_SHARE = 0.2
"""The early and the late median are over this share of the steps each."""
MOST_BARS = 24
RUINED = 1e6
"""A loss that grew by this factor has left the range of everything that the model could be asked to learn."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A geometric sequence fitted to positive values: value(k) = start · factor^k."""

    start: float
    factor: float
    places: int
    """Steps of the sequence, one less than its values."""
    agreement: float
    """R² of the logarithms: the share of their variance that the line explains."""

    @property
    def total(self) -> float:
        """What the factor comes to over the whole sequence; 0.0 or inf where no float can hold it."""
        logarithm = self.places * math.log(self.factor) if self.factor > 0 else -math.inf
        return math.exp(logarithm) if logarithm < 700 else math.inf


def log_linear(values: Sequence[float]) -> Fit | None:
    """The least-squares line through the logarithms; None for fewer than three values or any that is not positive."""
    if len(values) < 3 or any(not (0.0 < value < math.inf) for value in values):
        return None
    logs = [math.log(value) for value in values]
    middle, mean = (len(logs) - 1) / 2, sum(logs) / len(logs)
    across = sum((index - middle) ** 2 for index in range(len(logs)))
    slope = sum((index - middle) * (log - mean) for index, log in enumerate(logs)) / across
    spread = sum((log - mean) ** 2 for log in logs)
    agreement = slope * slope * across / spread if spread > 0 else 1.0
    return Fit(_exp(mean - slope * middle), _exp(slope), len(logs) - 1, agreement)


def median(values: Sequence[float]) -> float:
    """NaN where there is none."""
    ordered = sorted(value for value in values if not math.isnan(value))
    if not ordered:
        return math.nan
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


@dataclass(frozen=True, slots=True)
class LossTrend:
    """What the loss did over the run."""

    count: int
    first: float
    early: float
    """Median of the first fifth, after the very first steps, in which a model learns the mean of its targets."""
    late: float
    """Median of the last fifth."""
    middle: float
    """Median of the fifth in the middle."""
    lowest: float
    first_nonfinite: int | None
    """The step of the first loss that is NaN or infinite."""

    @property
    def flat(self) -> bool:
        """Whether it was seen often enough to tell, and did not improve."""
        return self.count >= FEWEST_LOSSES and self.late > self.early - FLAT * abs(self.early)

    @property
    def stuck(self) -> bool:
        """Whether it is flat, or came to rest after a fall too small for more than the mean of the targets."""
        rests = self.late > self.middle - FLAT * abs(self.middle)
        return self.flat or (self.count >= FEWEST_LOSSES and rests and self.late > (1 - SMALL_FALL) * abs(self.early))

    @property
    def ruined(self) -> bool:
        """Whether it stopped being finite, or grew a millionfold over its best."""
        grown = self.late > RUINED * max(abs(self.lowest), abs(self.first) / RUINED, 1e-30)
        return self.first_nonfinite is not None or (grown and self.late > abs(self.first))


def loss_trend(record: Record) -> LossTrend | None:
    """None for a program that never called backward() on a scalar."""
    steps = [step for step in record.steps() if step.loss is not None]
    if not steps:
        return None
    values = [_loss(step) for step in steps]
    finite = [value for value in values if math.isfinite(value)]
    window = max(5, round(EARLY_SHARE * len(values)))
    skipped = len(values) // 20
    return LossTrend(
        count=len(values),
        first=values[0],
        early=median(values[skipped : skipped + window]),
        late=median(values[-window:]),
        middle=median(values[max(0, (len(values) - window) // 2) :][:window]),
        lowest=min(finite, default=math.nan),
        first_nonfinite=next((step.id for step in steps if not math.isfinite(_loss(step))), None),
    )


def full_steps(record: Record, most: int = 4) -> list[int]:
    """Steps that were recorded in full, at most so many: the first ones, and the last before the loss was lost."""
    steps = record.steps()
    lost = next((step.id for step in steps if step.loss is not None and not math.isfinite(step.loss)), math.inf)
    full = [step.id for step in steps if step.level == "full" and step.id <= lost]
    return full[:most] if len(full) <= most or most < 2 else [*full[: most - 1], full[-1]]


def worst_update(record: Record, step: int) -> float | None:
    """The step's largest ratio of an update to the weights that it changed; None where none was measured."""
    measured = [
        each.update_ratio for each in record.parameter_steps(step=step) if each.update_ratio and each.weight_rms
    ]
    return max(measured, default=None)


def series_over_passes(name: str, sizes: Sequence[float]) -> Series:
    """At most two dozen of the sizes, evenly chosen, the first and the last among them."""
    count = min(len(sizes), MOST_BARS)
    chosen = [round(k * (len(sizes) - 1) / max(count - 1, 1)) for k in range(count)]
    labels = tuple(f"pass {index + 1}" for index in chosen)
    return Series(name, labels, tuple(sizes[index] for index in chosen), logarithmic=True)


def _loss(step: Step) -> float:
    return step.loss if step.loss is not None else math.nan


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
