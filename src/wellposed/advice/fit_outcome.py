"""What happened when a prediction was put to the test: plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Predicted against observed, over operations whose operands lose nothing: each run once more in the format, on
    the operands of the float32 run."""

    predicted: int
    observed: int
    both: int

    @property
    def precision(self) -> float | None:
        """Share of the predicted that was observed; None where nothing was predicted."""
        return self.both / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the observed that was predicted; None where nothing was observed."""
        return self.both / self.observed if self.observed else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One forward and backward pass in the format, against the same in float32."""

    kind: str
    """How it ran: ``all in float16``, ``mixed``."""
    kernels: str
    """``float16 kernels`` where the format's own ran, else ``float32 kernels, results rounded``."""
    error: str
    """What stopped it; empty where it ran through."""
    loss: float
    reference_loss: float
    gradients_nonfinite: int
    """Elements of the parameters' gradients that are NaN or infinite."""
    gradients_lost: float
    """Share of the gradients' elements that are not zero in float32 and are here, 0 to 1."""
    gradient_cosine: float
    """Cosine of the angle between all gradients here and in float32; NaN where one is not finite."""
    gradient_ratio: float
    """Euclidean norm of all gradients here over that in float32."""
    survives: bool
    """Ran through with finite numbers, and with gradients that are about as long as float32's and point the same way;
    without gradients, with a loss close to float32's. (A loss that is a difference of large terms may be far from
    float32's while its gradients are not.)"""

    @property
    def loss_error(self) -> float:
        """|loss − reference| / |reference|."""
        return abs(self.loss - self.reference_loss) / max(abs(self.reference_loss), 1e-30)


@dataclass(frozen=True, slots=True)
class Member:
    """A module of the verified set, and what becomes of the run when it alone is not kept in float32."""

    module: str
    without: str
    """Such as ``the loss is nan``."""


@dataclass(frozen=True, slots=True)
class UpdateCheck:
    """One step of the optimizer in float32, and what would be left of it if weights and states were in the format."""

    parameter: str
    lost: float
    """Share of the elements that the update would leave as they were though it is not zero, 0 to 1."""
    states_lost: dict[str, float]
    """By name of the optimizer's state: share of its elements that are not zero and would become zero."""


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """The whole program once more, rounded to the format in its modules; losses step by step against the first run."""

    kept: tuple[str, ...]
    """Modules whose own operations stayed in float32; what runs outside of modules did as well."""
    scale: float
    error: str
    """What ended it, where that was not what ended the first run; empty otherwise."""
    steps: int
    """Steps with a loss in both runs."""
    first_nonfinite: int | None
    """The first step whose loss is NaN or infinite here and finite in float32."""
    largest_difference: float
    """Largest |loss − float32's| / |float32's| over the steps before that."""
    at_step: int | None
    last: float
    """The loss of the last step in both."""
    reference_last: float

    @property
    def survives(self) -> bool:
        """Whether the loss stayed finite to the end. How close it came to float32's is told beside it: two trainings
        drift apart by rounding alone."""
        return not self.error and self.first_nonfinite is None and self.steps > 0


@dataclass(frozen=True, slots=True)
class ScriptCheck:
    """What came of running a program again."""

    plain: ScriptRun | None
    """Without the proposals; None where there are none."""
    proposed: ScriptRun


@dataclass(frozen=True, slots=True)
class Check:
    """The prediction, checked by running."""

    overflows: Agreement
    vanishes: Agreement
    simulated: tuple[str, ...]
    """Operators that had no kernel of the format here; their float32 results were rounded instead."""
    pure: Outcome
    mixed: Outcome
    """With `keep` and everything outside of modules in float32, and with `scale`."""
    keep: tuple[Member, ...]
    """Of what the prediction names, grown where it did not suffice and shrunk to what is needed: without any one of
    them the run breaks."""
    minimal: bool
    """Whether the shrinking came to its end."""
    scale: float
    """The loss scale that `mixed` ran with."""
    updates: tuple[UpdateCheck, ...]
    runs: int
    """Forward and backward passes that were made."""
