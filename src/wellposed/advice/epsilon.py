"""An epsilon: the small number that keeps a denominator, a root or a logarithm off zero, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wellposed.advice.distribution import Distribution
from wellposed.findings import Location

Verdict = Literal["sound", "ineffective", "too small", "too large", "misplaced", "missing"]
VERDICTS: tuple[Verdict, ...] = ("missing", "misplaced", "ineffective", "too small", "too large", "sound")
"""Most serious first."""

Use = Literal["quotient", "root quotient", "root", "logarithm", "inverse function", "norm", "update"]
"""What the guarded quantity v goes into: 1 / v, 1 / sqrt(v), sqrt(v), log(v), acos(v), a norm, an optimizer's
denominator."""


@dataclass(frozen=True, slots=True)
class Range:
    """Where an epsilon does its work and nothing else."""

    low: float | None
    """Smallest value that keeps the amplification within the dtype; None where no value serves."""
    high: float | None
    """Largest value that changes the result little; None where what it protects is unknown, or no value serves."""
    reason: str
    """One sentence: where the two bounds come from."""


@dataclass(frozen=True, slots=True)
class Epsilon:
    """One epsilon in force, or one that is missing."""

    where: Location
    kind: str
    """The function or layer it belongs to (``layer_norm``, ``normalize``, ``AdamW``), else what it guards
    (``denominator``, ``root``, ``logarithm``)."""
    use: Use
    value: float
    """As the program wrote it; 0.0 where it is missing."""
    clamps: bool
    """Whether it bounds the quantity instead of being added to it."""
    dtype: str
    """In which it meets the quantity: layers add it in float32 where their input is narrower."""
    value_in_dtype: float
    """What the dtype makes of it: 1e-8 is 0.0 in float16."""
    quantity: str
    """What it protects, in a word or two: ``variance``, ``norm``, ``gradient rms of a parameter``."""
    protected: Distribution | None
    """How that quantity is spread; None where nothing was recorded of it."""
    spacing: float | None
    """Distance between neighbouring numbers of the dtype (one ulp) at the quantity's typical magnitude."""
    absorbed: float | None
    """Share (0 to 1) of the elements that adding it leaves as they were; None where unknown."""
    forward: float | None
    """Largest factor it lets the forward pass multiply by (1/ε, 1/√ε, |log ε|); None where none comes of it."""
    backward: float | None
    """Largest factor in the backward pass (1/ε², 1/ε^1.5, 1/ε, 1/(2√ε)); None where there is none."""
    forward_in_dtype: float | None
    """`forward` as the dtype holds it; infinite where it does not."""
    backward_in_dtype: float | None
    bias: float | None
    """Relative change of the result at the quantity's typical magnitude; of a logarithm, the absolute change."""
    dominated: float | None
    """Share (0 to 1) of the non-zero elements whose result it changes by more than a tenth (of an optimizer's
    update, by more than half); None where unknown."""
    recommended: Range
    verdict: Verdict
    message: str
    """One sentence: why the verdict, in numbers."""
    times: int
    """How often it was looked at: in up to six recorded steps, up to eight times in each."""

    @property
    def sound(self) -> bool:
        return self.verdict == "sound"
