"""All signals at once: each quantity goes to the detectors that need it, one for each place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wellposed.signals import (
    adam_ratio,
    attention_collapse,
    attention_logits,
    gradient_below_epsilon,
    gradient_growth,
    gradient_spike,
    log_partition_drift,
    loss_divergence,
    loss_scale_fall,
    loss_spike,
    nonfinite_gradient,
    sharpness,
    update_ratio,
)
from wellposed.signals.signal import Crossing, Detector, EarlyWarning, Signal

SIGNALS: tuple[Signal, ...] = (
    nonfinite_gradient.SIGNAL,
    loss_divergence.SIGNAL,
    loss_spike.SIGNAL,
    gradient_spike.SIGNAL,
    gradient_growth.SIGNAL,
    adam_ratio.SIGNAL,
    gradient_below_epsilon.SIGNAL,
    update_ratio.SIGNAL,
    sharpness.SIGNAL,
    attention_logits.SIGNAL,
    attention_collapse.SIGNAL,
    log_partition_drift.SIGNAL,
    loss_scale_fall.SIGNAL,
)
BY_NAME = {signal.name: signal for signal in SIGNALS}

ANY = "any"
MUCH_WORSE = 10.0
"""A signal is told again where it is this many times further beyond its threshold than when it was told last."""
MOST_TIMES = 3
"""And no more often than this: of a loss that grows to infinity everything is soon ten times as bad."""
MOST_PLACES = 10_000
"""Parameters and modules that are followed, times signals."""


@dataclass(slots=True)
class Panel:
    """Feeds the detectors, and keeps quiet about what was told already."""

    signals: Sequence[Signal] = SIGNALS
    _detectors: dict[tuple[str, str], Detector] = field(default_factory=dict)
    _told: dict[str, list[float]] = field(default_factory=dict)

    def see(self, quantity: str, step: int, value: float, where: str = "") -> list[EarlyWarning]:
        """Enter a value; the warnings of all signals that are beyond their thresholds, told before or not."""
        found = []
        for signal in self.signals:
            if signal.quantity != quantity:
                continue
            detector = self._detectors.get((signal.name, where))
            if detector is None:
                if len(self._detectors) >= MOST_PLACES:
                    continue
                detector = self._detectors[signal.name, where] = signal.detector()
            crossing = detector.see(value)
            if crossing is not None:
                found.append(warning(signal, step, crossing, where))
        return found

    def is_news(self, found: EarlyWarning) -> bool:
        """Whether the signal is told for the first time, or has become much worse; enters it as told."""
        excess = Crossing(found.value, found.threshold).excess
        told = self._told.setdefault(found.signal, [])
        if len(told) >= MOST_TIMES or (told and not excess > MUCH_WORSE * told[-1]):
            return False
        told.append(excess)
        return True


def warning(signal: Signal, step: int, crossing: Crossing, where: str) -> EarlyWarning:
    place = f" ({where})" if where else ""
    value, limit = crossing.value, crossing.threshold
    if value != value:
        against = f"where {limit:.4g} is the limit"
    else:
        side = "above" if value > limit else "below"
        against = f"{'beyond' if value < 0 and limit < 0 else side} {limit:.4g}"
    message = (
        f"{signal.name} at step {step}: {signal.shows}{place} is {value:.4g}, {against}. "
        f"It usually precedes {signal.precedes}."
    )
    return EarlyWarning(signal.name, step, value, limit, crossing.history, signal.precedes, where, message)


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names as they are. Raises ValueError where one is no signal's, with the nearest."""
    wanted = (names,) if isinstance(names, str) else tuple(names)
    known = [*BY_NAME, ANY]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(str(name).replace("_", "-"), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"no signal is called {name!r}; {hint}")
    return wanted


def first_crossing(signal: Signal, values: Iterable[tuple[int, float]]) -> tuple[int, Crossing] | None:
    """The step and the crossing at which a recorded series (step, value) first exceeds the signal's threshold."""
    detector = signal.detector()
    for step, value in values:
        crossing = detector.see(value)
        if crossing is not None:
            return step, crossing
    return None
