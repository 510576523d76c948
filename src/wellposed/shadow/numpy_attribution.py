"""How much of the error of the declared outputs each operation caused: by running it again with that error alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from wellposed.shadow.numpy_dtypes import Array
from wellposed.shadow.numpy_measure import norm, norm_of_finite
from wellposed.shadow.numpy_store import View, looking_at
from wellposed.shadow.numpy_tape import Tape
from wellposed.shadow.result import Attribution

REPEATS = 400_000
"""Operations that may be done again for one report; with more groups of them than that allows, the largest count."""
NEGLIGIBLE = 1 / 16
"""An effect on an output below this part of its unit roundoff is none."""
NEGLIGIBLE_SHARE = 1e-3
"""Nor is one below this part of the output's error."""


@dataclass(slots=True)
class Declared:
    """An output: where its shadow lies, and how far the program's values are from it."""

    number: int
    view: View
    shadow: Array
    error: Array
    roundoff: float


@dataclass(slots=True)
class Shares:
    """What each group of operations did to the outputs."""

    share: dict[int, float] = field(default_factory=dict)
    moving: set[int] = field(default_factory=set)
    attributions: list[Attribution | None] = field(default_factory=list)


def attribute(tape: Tape, outputs: list[Declared], roundings: dict[int, float], suspects: set[int]) -> Shares:
    """Shares of the outputs' errors.

    `roundings` are the largest relative rounding errors by group; `suspects` are groups that may matter without any of
    their own, for they amplify what they were given.
    """
    shares = Shares()
    if tape.overrun or not outputs:
        shares.attributions = [None] * len(outputs)
        shares.moving = set(roundings)
        return shares
    reaching = tape.reaching({output.number for output in outputs})
    allowed = max(REPEATS // max(len(tape.steps), 1), 8)
    candidates = sorted((g for g in reaching if roundings.get(g, 0) > 0), key=lambda g: -roundings[g])[:allowed]
    parts: list[dict[int, float]] = [{} for _ in outputs]
    for group in candidates:
        changed = tape.again(group, "rounding")
        for output, part in zip(outputs, parts, strict=True):
            moved = _moved(changed, output)
            part[group] = _along(moved, output.error)
            if _matters(moved, output):
                shares.moving.add(group)
    for group in sorted((suspects & reaching) - shares.moving, key=lambda g: -roundings.get(g, 0))[:allowed]:
        changed = tape.again(group, "total")
        if any(_matters(_moved(changed, output), output) for output in outputs):
            shares.moving.add(group)
    nudged = tape.perturbed()
    for output, part in zip(outputs, parts, strict=True):
        moved = _moved(nudged, output)
        inherent = 0.0 if moved is None else norm_of_finite(moved)
        true, explained, whole = _signed(output.error), sum(part.values()), sum(map(abs, part.values()))
        if norm(output.error) == 0:
            shares.attributions.append(Attribution(0.0, 0.0, 0.0, _of(output)))
            continue
        residual = (true - explained) / abs(true) if true and math.isfinite(true) else math.inf
        shares.attributions.append(Attribution(true, explained, residual, _of(output), inherent))
        for group, value in part.items():
            if whole > 0 and math.isfinite(whole):
                shares.share[group] = max(shares.share.get(group, 0.0), abs(value) / whole)
    return shares


def _of(output: Declared) -> str:
    return "the output" if output.error.size == 1 else "the norm of the output's error"


def _signed(error: Array) -> float:
    return float(error.reshape(-1)[0].real) if error.size == 1 else norm(error)


def _moved(changed: dict[int, Array], output: Declared) -> Array | None:
    if output.number not in changed:
        return None
    after = looking_at(changed[output.number], output.view)
    return np.where(np.asarray(after == output.shadow, bool), 0, np.asarray(after - output.shadow))


def _along(moved: Array | None, error: Array) -> float:
    """The part of `moved` in the direction of the output's error; as it is for a number."""
    if moved is None:
        return 0.0
    if error.size == 1:
        return float(moved.reshape(-1)[0].real)
    size = norm(error)
    if size == 0 or not math.isfinite(size):
        return 0.0
    direction = error / size
    return float(np.sum((direction.conj() if direction.dtype.kind == "c" else direction) * moved).real)


def _matters(moved: Array | None, output: Declared) -> bool:
    if moved is None:
        return False
    effect = norm(moved)
    least, error = NEGLIGIBLE * output.roundoff * norm_of_finite(output.shadow), norm(output.error)
    return effect > 0 and effect >= least and (effect >= NEGLIGIBLE_SHARE * error or not math.isfinite(error))
