"""What a run in shadow tells: digits left, errors and their kinds, and how much of the outputs' error each caused.

Pure data, the same for every array library. Errors are relative and normwise, ‖error‖ / ‖reference‖ in the 2-norm,
unless a name says otherwise; digits are decimal, significant, and never more than the dtype holds (`DIGITS_OF`).
The kinds of error follow FPDebug, Herbgrind (PLDI 2018) and the forward error analysis of Higham, "Accuracy and
Stability of Numerical Algorithms", chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wellposed.findings import Location

DIGITS_OF = {
    "float8_e5m2": 0.9,
    "float8_e4m3fn": 1.2,
    "bfloat16": 2.4,
    "float16": 3.3,
    "float32": 7.2,
    "float64": 15.95,
}
"""Decimal digits that a dtype holds: log10 of 2 to the bits of its significand."""


@dataclass(frozen=True, slots=True)
class Significant:
    """Significant decimal digits of a tensor against its reference."""

    normwise: float
    """−log10(‖error‖ / ‖reference‖)."""
    worst: float
    """Of the elements; an element far below the tensor's root mean square is judged against unit roundoff × rms."""
    median: float
    few: float
    """Share of the elements with fewer digits than half of what the dtype holds, 0 to 1."""


@dataclass(frozen=True, slots=True)
class OperatorDigits:
    """One operator at one place, over all of its calls: the worst call counts, unless a name says otherwise."""

    id: int
    where: Location
    text: str
    """The source line, stripped; empty where unknown."""
    dtype: str
    """Of the output that lost most."""
    calls: int
    elements: int
    """Of the outputs of one call."""
    rounding: float
    """ρ: what this kernel added, ŷ − f(x̂) with f in the reference."""
    formula: float
    """λ: the error it shows even with the best inputs its dtype can hold, f̂(round(x)) − y; where it hits a few elements
    only, each element counts by what of it reaches a declared output."""
    propagated: float
    """π: what its inputs' errors became, f(x̂) − y."""
    amplification: float
    """π over the largest relative error of an input; 0 where the inputs had none."""
    cancelled_bits: float
    """Bits that the operands lost to each other in a sum or difference; 0 for other operators."""
    digits_in: float
    """Normwise digits of the worst floating-point input; what its dtype holds where there is none."""
    digits: Significant
    """Of the worst output."""
    share: float
    """Part of the error of the declared outputs that this operator caused, 0 to 1; see `Attribution`."""
    moves_output: bool
    """Whether its error reaches a declared output at all."""
    limited: bool = False
    """True where more digits cancel than the reference itself holds: the truth may be worse."""
    terms: int = 1
    """Numbers that were added up for one element of the output: n of a sum, the inner dimension of a product."""
    coarsest: str = ""
    """The coarsest dtype that takes part, where an input is coarser than `dtype`: it bounds what can be expected."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Σ over operators of ⟨adjoint of y, ρ⟩ against the true error of one declared output (to first order)."""

    true_error: float
    """ŷ − y for a scalar; for a tensor the projection that was differentiated, named in `of`."""
    explained: float
    residual: float
    """(true − explained) / |true|; far from 0 the shares are not to be believed."""
    of: str = "the output"
    inherent: float = 0.0
    """What rounding each input once does to the output, to first order (root of the sum of squares, in the unit of
    `true_error`): the condition of the problem, below which no formula can be (Higham, section 1.6). NaN where an
    operator on the way has no derivative."""


@dataclass(frozen=True, slots=True)
class OutputDigits:
    """A declared output: a loss, or a returned tensor."""

    name: str
    dtype: str
    value: float
    """The scalar, or the root mean square of a tensor, as the program computed it."""
    reference: float
    error: float
    digits: Significant
    attribution: Attribution | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """A comparison, branch, index or rounding to an integer where the reference would have gone another way."""

    where: Location
    text: str
    share: float
    """Of the elements compared, 0 to 1; 1 for a branch."""
    margin: float
    """Largest distance of the reference from the threshold among them, relative to the operands."""


@dataclass(frozen=True, slots=True)
class StableForm:
    """A better way to write what a culprit computes, evaluated beside it on the same inputs."""

    title: str
    code: str
    digits: float | None
    """Normwise digits it leaves; None where it could not be evaluated here."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Culprit:
    """A formula that loses digits and moves an output: the line to change."""

    operator: OperatorDigits
    kind: str
    """The way in which it loses digits: ``catastrophic-cancellation``, ``low-precision-accumulation``,
    ``ill-conditioned-operation`` or ``unstable-function``."""
    message: str
    """One sentence: what is lost where, what the inputs were good to."""
    forms: tuple[StableForm, ...] = ()


@dataclass(frozen=True, slots=True)
class DigitsReport:
    """Where the digits went, in a function, a block or a script."""

    outputs: tuple[OutputDigits, ...]
    operators: tuple[OperatorDigits, ...]
    """Those that move an output, the largest share first."""
    culprits: tuple[Culprit, ...]
    flips: tuple[Flip, ...]
    reference: str
    """``float64``, ``double-double`` or ``mpmath``."""
    backend: str
    """Which kernels ran, for kernels round differently elsewhere: ``torch 2.13 CPU``."""
    executed: int
    """Operators that ran beside their shadow."""
    skipped: tuple[tuple[str, str, int], ...] = ()
    """Operators that have no shadow: name, reason, how often."""
    notes: tuple[str, ...] = ()
    """What the numbers above leave out, as sentences: why there is no attribution, memory that changed unseen."""
    result: Any = field(default=None, repr=False, compare=False)
    """What the function returned; None for a block."""
    files: dict[str, str] | None = None
    """Sources by file, for a report that shows lines."""

    def text(self, most: int = 20) -> str:
        """A plain table of the outputs, the culprits, and the `most` operators with the largest shares."""
        from wellposed.shadow.plain import plain_text

        return plain_text(self, most)

    def __str__(self) -> str:
        return self.text()
