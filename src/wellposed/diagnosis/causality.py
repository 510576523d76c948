"""Which cause can produce which: the model by which a root is told from what follows from it.

Data, with reasons. A link reads: where `cause` was found no later than `effect`, the second follows from the first.
Names are those of causes or, where a cause has several faces, of rules; docs/diagnosis.md draws the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wellposed.findings import Finding


@dataclass(frozen=True, slots=True)
class Link:
    """One way in which a fault produces another."""

    cause: str
    effects: tuple[str, ...]
    why: str
    anytime: bool = False
    """Whether the cause may be noticed after its effect: a rare operand does its harm before it is caught."""


LINKS: Final[tuple[Link, ...]] = (
    Link(
        "constant-input",
        ("dead-relu", "vanishing-gradient", "saturation", "learning-rate", "bad-init"),
        "What is the same for every sample gives every unit the same value: nothing after it can tell samples apart.",
    ),
    Link(
        "unscaled-input",
        (
            "saturation", "dead-relu", "learning-rate", "exploding-gradient", "missing-normalisation",
            "vanishing-gradient", "bad-init",
        ),
        "A layer multiplies what it is given: activations saturate, gradients grow with the input, the curvature of "
        "the loss with its square, so that a usual learning rate is too large.",
    ),
    Link(
        "unscaled-target",
        ("learning-rate", "exploding-gradient", "dead-relu", "saturation"),
        "The gradient of a regression loss is proportional to its error, which is the target's size at first.",
    ),
    Link(
        "weights-too-large",
        (
            "saturation", "exploding-gradient", "vanishing-gradient", "learning-rate", "dead-relu",
            "missing-normalisation",
        ),
        "Values grow by rms · sqrt(fan-in) at every layer of the first pass: bounded activations saturate, others "
        "explode, and the curvature of the loss grows with them.",
    ),
    Link(
        "weights-too-small",
        ("vanishing-gradient", "missing-normalisation", "learning-rate-too-small", "epsilon", "dead-relu"),
        "The same factor multiplies the gradient on its way back.",
    ),
    Link(
        "bias-too-large",
        ("saturation", "exploding-gradient", "learning-rate", "dead-relu"),
        "An exponential of a large bias, or a sigmoid of it, is at the end of its range before anything is learned.",
    ),
    Link(
        "zero-weights",
        ("vanishing-gradient", "dead-relu", "identical-units", "learning-rate"),
        "The gradient of one factor of a product is the other factor.",
    ),
    Link(
        "identical-units",
        ("vanishing-gradient", "missing-normalisation"),
        "Units with the same weights get the same gradient.",
    ),
    Link(
        "missing-normalisation",
        ("saturation", "exploding-gradient", "vanishing-gradient", "learning-rate", "dead-relu", "bad-init"),
        "c^L of the forward pass is what every activation is fed with, and c^L of the backward pass what every weight "
        "is updated by.",
    ),
    Link(
        "learning-rate-too-large",
        ("dead-relu", "saturation", "exploding-gradient", "vanishing-gradient", "gradient-spike"),
        "One oversized update throws weights and biases so far that units die or saturate, and values explode.",
    ),
    Link(
        "overshooting-updates",
        ("learning-rate-too-large", "exploding-gradient", "saturation", "unscaled-input", "unscaled-target", "epsilon"),
        "Updates that grow without end take the weights, and all that is computed of them, with them.",
    ),
    Link(
        "summed-gradients",
        ("learning-rate-too-large", "dead-relu", "saturation", "exploding-gradient", "unscaled-target"),
        "The sum over n terms is a step n times as large.",
    ),
    Link(
        "saturation",
        ("vanishing-gradient", "learning-rate-too-small", "learning-rate-too-large", "epsilon", "dead-relu"),
        "A flat activation multiplies the gradient by nearly nothing; what is left of it says nothing of the loss.",
    ),
    Link(
        "dead-relu",
        ("vanishing-gradient", "learning-rate-too-small", "constant-input"),
        "No gradient passes a ReLU that is zero everywhere.",
    ),
    Link(
        "oversized-epsilon",
        (
            "vanishing-gradient", "dead-relu", "learning-rate", "saturation", "missing-normalisation",
            "weights-too-small",
        ),
        "An epsilon that decides the denominator shrinks what should have unit scale, forward and backward.",
    ),
    Link(
        "gradients-below-epsilon",
        ("learning-rate-too-small",),
        "Where eps is the larger part of the denominator, Adam's step shrinks with the gradient.",
    ),
    Link(
        "update-below-resolution",
        ("learning-rate-too-small",),
        "Updates that round away leave the weights where they are.",
    ),
    Link(
        "misplaced-clip",
        ("learning-rate-too-large", "exploding-gradient", "gradient-spike", "dead-relu", "saturation"),
        "The bound that should have kept updates small held for gradients that were not used.",
    ),
    Link(
        "cut-gradient",
        ("vanishing-gradient", "learning-rate-too-small", "dead-relu"),
        "Weights that no gradient reaches stay as they were drawn; what comes after them learns from noise.",
    ),
    Link(
        "statistics-of-few",
        ("vanishing-gradient", "learning-rate-too-small", "dead-relu", "constant-input", "unreachable-target"),
        "What a normalisation over one value leaves is the same for every sample.",
    ),
    Link(
        "tiny-denominator",
        ("unscaled-target", "learning-rate", "exploding-gradient", "dead-relu", "gradient-spike"),
        "A few quotients by tiny numbers are the loss, and their gradients the update.",
        anytime=True,
    ),
    Link(
        "exploding-gradient",
        ("learning-rate-too-large", "dead-relu", "saturation", "gradient-spike"),
        "A gradient many orders of magnitude above the weights makes an update that no learning rate of use survives.",
    ),
    Link(
        "vanishing-gradient",
        ("learning-rate-too-small", "epsilon"),
        "An update is proportional to its gradient, or ends below the optimizer's eps with it.",
    ),
)  # fmt: skip

SYMPTOMS: Final[tuple[str, ...]] = ("loss-not-improving",)
"""Rules that tell what the user sees; whatever the root is, they follow from it."""


def explains(cause: Finding, effect: Finding) -> bool:
    """Whether `effect` follows from `cause` by one link of the model."""
    return bool(reasons(cause, effect))


def reasons(cause: Finding, effect: Finding) -> tuple[str, ...]:
    """Why `effect` follows from `cause`: one sentence for each link that leads from one to the other; else empty."""
    return tuple(link.why for link in _links(cause, effect))


def _links(cause: Finding, effect: Finding) -> list[Link]:
    if cause is effect:
        return []
    named, reached, late = {cause.rule, cause.cause}, {effect.rule, effect.cause}, _later(cause, effect)
    return [
        link
        for link in LINKS
        if link.cause in named and not reached.isdisjoint(link.effects) and (link.anytime or not late)
    ]


def explained_by(findings: Sequence[Finding]) -> dict[int, list[Finding]]:
    """For each finding, by its position, those of the others that explain it. Of two that explain each other the one
    whose link names the rules, and not only their causes, is the cause; else the one that comes first in `findings`."""
    found: dict[int, list[Finding]] = {}
    for position, effect in enumerate(findings):
        found[position] = [
            cause
            for other, cause in enumerate(findings)
            if explains(cause, effect)
            and (
                not explains(effect, cause) or (_strength(cause, effect), position) > (_strength(effect, cause), other)
            )
        ]
    return found


def _strength(cause: Finding, effect: Finding) -> int:
    """How closely the links that lead from one to the other name them: 2 where a link names both rules."""
    return max((link.cause == cause.rule) + (effect.rule in link.effects) for link in _links(cause, effect))


def nearest(causes: Sequence[Finding]) -> list[Finding]:
    """Of several causes of one effect those that explain no other of them: the last links of the chain."""
    return [each for each in causes if not any(explains(each, other) for other in causes)] or list(causes[:1])


def _later(cause: Finding, effect: Finding) -> bool:
    """Whether the cause was seen after its alleged effect. Within a step, what is seen of a backward pass can still be
    the reason for a learning rate being too large for it."""
    if cause.step is None or effect.step is None:
        return False
    return cause.step > effect.step
