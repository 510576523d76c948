"""Where epsilons are found, before they are judged: what was read from the record about each."""

from __future__ import annotations

from dataclasses import dataclass

from wellposed.advice.distribution import Distribution
from wellposed.advice.epsilon import Use
from wellposed.findings import Location
from wellposed.record import Operation


@dataclass(frozen=True, slots=True)
class Found:
    """An epsilon as it was met, at one operation or (optimizers) one event."""

    where: Location
    kind: str
    use: Use
    value: float
    dtype: str
    """In which it meets the quantity."""
    forward_dtype: str
    """In which the quotient is kept."""
    backward_dtype: str
    quantity: str
    protected: Distribution | None
    clamps: bool = False
    upper: bool = False
    """Whether it is a bound just below 1; `value` is then 1 - ε as the program wrote it."""
    literal_power: bool = False
    """Whether the backward pass forms ε^-1.5 itself (of rsqrt and pow; not of sqrt and a division)."""
    differentiated: bool = False
    """Whether a backward pass through it was recorded."""
    misplaced: str = ""
    """Why it stands in the wrong place; empty where it does not."""
    unguarded: int | None = None
    """Id of the operation that a misplaced epsilon leaves unguarded."""
    ineffective: str = ""
    """Why it guards nothing, as far as the place tells; empty where it does."""
    spoilt: str = ""
    """What came out in spite of it, where results or gradients were not finite or outweighed all else."""
    missing: bool = False
    noise: bool = False
    """Whether what it protects is no larger than rounding, so that deciding the result is its task."""
    operation: Operation | None = None

    @property
    def epsilon(self) -> float:
        """The small number itself: of a bound just below 1 its distance to 1."""
        return 1.0 - self.value if self.upper else self.value
