"""What would become of a recorded run in a narrower format: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wellposed.advice.formats import Fate, Target
from wellposed.findings import Location

Harm = Literal["overflow", "zero-divisor", "lost", "raises"]
"""``overflow``: a result or an operand beyond the format reaches what cannot bear it; ``zero-divisor``: what is divided
by, or what a logarithm or root is taken of, becomes zero; ``lost``: most of a tensor becomes zero; ``raises``: a scalar
argument that the format cannot hold."""
Verdict = Literal["fits", "with-loss-scale", "with-modules-kept", "gradients-too-wide"]


@dataclass(frozen=True, slots=True)
class OperationFit:
    """An operator at one place of the source, over all its calls; the worst counts."""

    where: Location
    text: str
    """The source line, stripped; empty where unknown."""
    scope: str
    """The module whose forward it runs in; for backward, that of its forward. Empty outside modules."""
    calls: int
    fate: Fate
    """Of the worst result of the worst call."""
    harm: Harm | None
    why: str
    """One sentence; empty where `harm` is None and nothing overflows."""
    operations: tuple[int, ...]
    """Ids of the calls that do harm, or else of those in which values overflow or vanish."""
    overflows: tuple[int, ...]
    """Ids of the calls whose own result is predicted to become infinite (or clipped) though the operands fit."""
    vanishes: tuple[int, ...]
    """Ids of the calls of whose results an element is predicted to become zero."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value inside an operator that would not fit, were it not computed in float32 there."""

    where: Location
    what: str
    """``square``, ``sum of squares``, ``sum of products`` …"""
    largest: float
    """A bound on its magnitude from the statistics of the operands."""
    assumption: str
    """What keeps it from harm."""


@dataclass(frozen=True, slots=True)
class ParameterFit:
    """A parameter, its gradient, its update, and what an optimizer keeps of it."""

    name: str
    weight: Fate | None
    """Of the weights as they start."""
    gradient: Fate | None
    """Without a loss scale; the worst step."""
    scaled: Fate | None
    """Times the proposed loss scale."""
    update_ratio: float | None
    """‖update‖ / ‖weights‖, the median of the measured steps."""
    updates_lost: bool | None
    """Whether a usual update is below half a spacing of the weights; None where no update was measured."""
    second_moment: Fate | None
    """Of (1 − β2) g², with which Adam's average of squares begins; None for other optimizers."""


@dataclass(frozen=True, slots=True)
class LossScale:
    """A factor on the loss that brings gradients into the format (Micikevicius et al. 2018, arXiv 1710.03740)."""

    scale: float
    """A power of two; 1 where none is needed."""
    needed: bool
    works: bool
    """False where gradients are spread wider than the format: some are lost at any scale."""
    lost_without: float
    """Share of the parameters' gradient elements (zeros aside) that vanish without it, 0 to 1."""
    lost_with: float
    largest: float
    """Largest magnitude in backward."""
    headroom: float
    """Factor between `largest` times the scale and the format's limit."""
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """A module whose own operations are to stay in float32."""

    module: str
    """Dotted path from the outermost module; its children are not meant."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a run recorded in float32 would survive in another format, and what it takes."""

    target: Target
    verdict: Verdict
    message: str
    """The verdict in one or two sentences."""
    steps: int
    """Steps recorded in full that were looked at."""
    operations: tuple[OperationFit, ...]
    """Those in which anything overflows, vanishes or does harm; what breaks first, then in the order of the program."""
    hidden: tuple[Hidden, ...]
    parameters: tuple[ParameterFit, ...]
    scale: LossScale | None
    """None where no gradient was recorded."""
    keep: tuple[Keep, ...]
    notes: tuple[str, ...]
    """What else a conversion would meet: optimizer states, lost updates, epsilons."""
    exact: bool
    """Whether shares were counted over all binary exponents, or are what extremes prove."""
    looked_at: int
    """Operations that were looked at."""
