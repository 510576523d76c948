"""From what the engine saw to a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import torch

from wellposed.findings import Location
from wellposed.shadow.attribution import Attributed, attribute
from wellposed.shadow.culprits import culprits_of
from wellposed.shadow.engine import Engine
from wellposed.shadow.facts import PlaceFacts
from wellposed.shadow.forms import forms_of
from wellposed.shadow.measure import name_of
from wellposed.shadow.outputs import with_attribution
from wellposed.shadow.quiet import unwarned
from wellposed.shadow.result import Culprit, DigitsReport, Flip, OperatorDigits

MOVES = 0.01
"""Part of an output's error from which an operator is said to move it."""

Describe = Callable[[Any], tuple[Location, str]]
"""Gives the location and the source line of a place that the engine's `locate` named."""


@unwarned()
def report_of(engine: Engine, describe: Describe, files: dict[str, str] | None = None) -> DigitsReport:
    """The report; to be made when no dispatch mode is active any more, for attribution needs derivatives."""
    found = Attributed() if engine.tape is None else attribute(engine.tape, engine.declared)
    outputs = tuple(
        with_attribution(each.digits, found.outputs.get(index)) for index, each in enumerate(engine.declared)
    )
    operators = [
        _operator(key, facts, found, describe, engine)
        for key, facts in engine.facts.places.items()
        if facts.worst is not None
    ]
    moving = sorted(
        (each for each in operators if each.moves_output), key=lambda each: (-each.share, -_finite(each.formula))
    )
    culprits = tuple(_with_forms(each, engine, found) for each in culprits_of(moving, outputs))
    notes = list(found.notes)
    if engine.store.rewritten:
        notes.append(f"{engine.store.rewritten} times memory was changed by something that is no operator")
    if engine.store.reinterpreted:
        notes.append(
            f"{engine.store.reinterpreted} times memory was looked at as another dtype: its shadow was given up"
        )
    if engine.reference.digits < 16 and any(each.dtype == "float64" for each in operators):
        notes.append("float64 operators were compared with themselves: the reference double-double shows their errors")
    if not engine.declared:
        notes.append("no output was declared: every operator counts")
    return DigitsReport(
        outputs=outputs,
        operators=tuple(moving),
        culprits=culprits,
        flips=tuple(_flips(engine, describe)),
        reference=engine.reference.name,
        backend=backend_of(engine.devices),
        executed=engine.executed,
        skipped=tuple((name, reason, times) for (name, reason), times in engine.facts.skipped.items()),
        files=files,
        notes=tuple(notes),
    )


def backend_of(devices: set[torch.device]) -> str:
    """``torch 2.13.0 CPU``; the name of the GPU where one took part."""
    names = sorted(
        torch.cuda.get_device_name(each) if each.type == "cuda" else each.type.upper()
        for each in devices or {torch.device("cpu")}
    )
    return f"torch {torch.__version__.split('+')[0]} {', '.join(dict.fromkeys(names))}"


def _operator(
    key: tuple[str, Hashable], facts: PlaceFacts, found: Attributed, describe: Describe, engine: Engine
) -> OperatorDigits:
    worst = facts.worst
    assert worst is not None
    where, text = describe(key[1])
    share = found.shares.get(key, 0.0)
    # Without a data flow: what backward computes matters to a later step at most, and often not even there.
    known = engine.declared and _has_flow(engine)
    reaches = key in found.reaching if known else where.phase in (None, "forward")
    if reaches and found.outputs:
        reaches = share >= MOVES or found.through.get(key, 0.0) >= MOVES
    coarsest = name_of(worst.coarsest)
    return OperatorDigits(
        id=facts.number,
        where=replace(where, operator=key[0]),
        text=text,
        dtype=name_of(worst.dtype),
        calls=facts.calls,
        elements=worst.elements,
        rounding=worst.rounding,
        formula=max(worst.formula, found.formula.get(key, 0.0)),
        propagated=worst.propagated,
        amplification=worst.amplification,
        cancelled_bits=worst.cancelled_bits,
        digits_in=worst.digits_in,
        digits=worst.digits,
        share=share,
        moves_output=reaches,
        limited=worst.limited,
        terms=facts.terms,
        coarsest="" if coarsest == name_of(worst.dtype) else coarsest,
    )


def _with_forms(culprit: Culprit, engine: Engine, found: Attributed) -> Culprit:
    if engine.tape is None or engine.tape.given_up:
        return culprit
    key, facts = next((key, facts) for key, facts in engine.facts.places.items() if facts.number == culprit.operator.id)
    assert facts.worst is not None
    try:
        return replace(culprit, forms=forms_of(engine.tape, key, facts.worst.dtype))
    except Exception as error:  # a report without a better form is worth more than none
        found.notes.append(f"no better form was looked for ({type(error).__name__}: {error})"[:160])
        return culprit


def _has_flow(engine: Engine) -> bool:
    return engine.tape is not None and not engine.tape.given_up


def _flips(engine: Engine, describe: Describe) -> list[Flip]:
    found = []
    for (operator, place), facts in engine.facts.flips.items():
        where, text = describe(place)
        found.append(Flip(replace(where, operator=operator), text, facts.share, facts.margin))
    return found


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
