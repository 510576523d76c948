"""What an early-warning signal is: one quantity of a step, its short history, a threshold, and what follows from it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

KEPT = 8
"""Values of the past that a warning shows."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A value beyond its threshold, both in the quantity's own unit."""

    value: float
    threshold: float
    history: tuple[float, ...] = ()
    """The last values, oldest first, this one included."""

    @property
    def excess(self) -> float:
        """How many times the value is beyond its threshold, at least 1."""
        if self.value == self.threshold:
            return 1.0
        if not math.isfinite(self.value):
            return math.inf
        smaller, larger = sorted((abs(self.value), abs(self.threshold)))
        return larger / smaller if smaller > 0 else math.inf


class Detector(Protocol):
    """Follows one quantity at one place; each sees every value once, in order."""

    def see(self, value: float) -> Crossing | None: ...


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal, declared once as ``SIGNAL`` in the file named after it, beside its detector."""

    name: str
    quantity: str
    """What it needs of a step: one of `QUANTITIES`."""
    threshold: str
    """In words, as a table shows it."""
    source: str
    """The paper or the measurement that the threshold comes from."""
    precedes: str
    """What usually follows, as the end of a sentence."""
    detector: Callable[[], Detector]
    shows: str
    """What the value is, as the beginning of a sentence."""

    @property
    def before_update(self) -> bool:
        """Whether it is known before the update that the step is about to make."""
        return QUANTITIES[self.quantity].before_update


@dataclass(frozen=True, slots=True)
class Quantity:
    meaning: str
    before_update: bool = True


QUANTITIES = {
    "loss": Quantity("the scalar that backward() was called on"),
    "gradient_norm": Quantity("Euclidean norm over all parameters of an optimizer"),
    "gradient_nonfinite": Quantity("elements of the gradients that are NaN or infinite"),
    "loss_scale": Quantity("the scale of a GradScaler", before_update=False),
    "adam_ratio": Quantity("of a parameter: rms of g / sqrt(v), v being Adam's second moment"),
    "gradient_over_epsilon": Quantity("of a parameter: rms of the gradient over Adam's eps"),
    "update_ratio": Quantity("of a parameter: norm of the update over that of the weights", before_update=False),
    "curvature_over_edge": Quantity("learning rate times curvature along the last update, over its stable limit"),
    "log_partition": Quantity("of a log-softmax: mean log of the sum of the exponentials of its inputs"),
    "attention_logit": Quantity("of an attention: the largest input of its softmax"),
    "attended_keys": Quantity("of an attention: effective number of keys, 1 / sum of the squared probabilities"),
}
"""What is known of a step, in the order in which it becomes known."""


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """What a listener is told: a signal crossed its threshold."""

    signal: str
    step: int
    value: float
    threshold: float
    history: tuple[float, ...]
    """The last values, oldest first, this one included."""
    precedes: str
    """What usually follows."""
    where: str
    """The parameter, the module or the optimizer it was seen at; empty where there is only one."""
    message: str
    """All of it in one sentence."""

    def __str__(self) -> str:
        return self.message


class Recent:
    """The last values of a series."""

    def __init__(self, kept: int = KEPT) -> None:
        self.values: deque[float] = deque(maxlen=kept)

    def add(self, value: float) -> None:
        self.values.append(value)

    @property
    def shown(self) -> tuple[float, ...]:
        return tuple(self.values)[-KEPT:]
