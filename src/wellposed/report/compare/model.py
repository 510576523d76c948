"""What two runs have and have not in common, as plain immutable data. Strings are as the records hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["same", "rounding", "different", "nothing"]
"""Of the numbers that both recorded: every digit equal; equal within the tolerance; not; or none to compare."""

SettingKind = Literal["version", "argv", "optimizer", "parameter", "initial-weights"]
OperationKind = Literal["missing", "dtype", "device", "shape", "argument", "value", "nonfinite"]
Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Place:
    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Run:
    """One of the two."""

    record: str
    """Path of the record."""
    argv: tuple[str, ...]
    steps: int
    full_steps: int
    """Of them, those with statistics of every operator."""
    operations: int
    """Operators that ran while we watched."""
    exit_code: int | None
    error: str | None
    precision: str
    """The coarsest floating dtype seen among its parameters and results; empty where none was."""
    verdict: str


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that the two runs start from, and that differs; None on the side that lacks it."""

    kind: SettingKind
    name: str
    """A package, an optimizer's setting (``SGD: lr``), a parameter's name in A (in B where A has none)."""
    a: Scalar
    b: Scalar
    a_at: Place | None = None
    b_at: Place | None = None
    what: str = ""
    """Of a parameter and its first weights: which property of it differs."""
    relative: float | None = None
    """Of initial weights: how far the statistic is off."""
    beyond: bool = True
    """Whether that is more than rounding."""
    others: int = 0
    """Further parameters that differ in the same way."""


@dataclass(frozen=True, slots=True)
class SourceDifference:
    """A file of the user's that is not the same; a name is None where that run has no such file."""

    a: str | None
    b: str | None
    diff: tuple[str, ...]
    """Lines of a unified diff, from A to B; empty where only one side has the file or it is too long."""
    left_out: int
    """Lines of the diff that are not here."""


@dataclass(frozen=True, slots=True)
class Ran:
    """An operation of one run; the statistics are of the result that differs."""

    operation: int | None
    operator: str
    """Empty where the step has outputs of modules alone; then this is one of them, and has no number."""
    phase: str
    module: str
    at: Place | None
    shape: tuple[int, ...]
    dtype: str
    device: str
    root_mean_square: float | None
    minimum: float | None
    maximum: float | None
    nonfinite: int | None


@dataclass(frozen=True, slots=True)
class OperationDifference:
    """The first operation, of those that stand in the same place in both runs, that differs in this respect."""

    kind: OperationKind
    step: int
    a: Ran | None
    """None where the operation ran in B alone."""
    b: Ran | None
    what: str
    """The statistic or the argument that differs; empty where the kind says it all."""
    a_value: Scalar
    b_value: Scalar
    relative: float | None = None
    """|a − b| over the larger magnitude; of extremes and means, over the largest magnitude in the tensor."""


@dataclass(frozen=True, slots=True)
class GradientDifference:
    """The first parameter, in the first step, whose gradient differs."""

    step: int
    a_name: str
    b_name: str
    what: str
    a_value: float | None
    """None where it has no gradient."""
    b_value: float | None
    relative: float
    a_at: Place | None
    b_at: Place | None


@dataclass(frozen=True, slots=True)
class Readings:
    """A run at one step; None where it was not measured."""

    loss: float | None
    learning_rate: float | None
    gradient_norm: float | None
    gradient_nonfinite: int | None
    update_norm: float | None
    update_ratio: float | None
    """Largest over the parameters."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Both runs at one step, and why it is shown."""

    step: int
    events: tuple[str, ...]
    """``loss``, ``loss-10-percent``, ``loss-tenfold``, ``a-nonfinite``, ``b-nonfinite``, ``learning-rate``,
    ``skipped``, ``last``."""
    a: Readings
    b: Readings


@dataclass(frozen=True, slots=True)
class Course:
    """How the two went, over the steps that both have."""

    common: int
    """Steps that both have."""
    a_last: int | None
    b_last: int | None
    largest_relative: float | None
    """Largest relative difference of the finite losses; None where no step has two."""
    beside: tuple[Beside, ...]

    def step_of(self, event: str) -> int | None:
        """The step at which this happened, None where it did not."""
        return next((each.step for each in self.beside if event in each.events), None)


@dataclass(frozen=True, slots=True)
class Found:
    """A finding that only one of the runs has."""

    run: Literal["A", "B"]
    rule: str
    code: str
    cause: str
    role: str
    severity: str
    step: int | None
    message: str
    file: str | None
    line: int | None
    function: str | None


@dataclass(frozen=True, slots=True)
class First:
    """The first difference in what the two programs did, in order of time."""

    kind: SettingKind | Literal["operation", "gradient", "loss"]
    step: int
    name: str
    a: Scalar
    b: Scalar
    a_at: Place | None
    b_at: Place | None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much was compared."""

    steps: int
    """Steps recorded alike by both whose operations, or outputs of modules, were looked at."""
    operations: int
    """Operations of the one that were found in the other."""
    modules: int
    """Outputs of modules, in steps that have no more than those, that were found in the other."""
    complete: bool
    """Whether nothing was left out for its size."""


@dataclass(frozen=True, slots=True)
class Comparison:
    a: Run
    b: Run
    status: Status
    tolerance: float
    """Relative; what differs by less is rounding."""
    first: First | None
    """None where nothing that the programs did differs beyond rounding."""
    settings: tuple[Setting, ...]
    sources: tuple[SourceDifference, ...]
    operations: tuple[OperationDifference, ...]
    """The first of each kind, in order of time."""
    first_digit: OperationDifference | None
    """The first operation with any digit that differs, where that is before the first beyond rounding."""
    gradient: GradientDifference | None
    course: Course
    findings: tuple[Found, ...]
    """Those that only one of the runs has."""
    extent: Extent
