"""How a gradient's magnitudes are spread over powers of two, beside the limits of the formats that could hold them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wellposed.record import Exponents, Record, Step
from wellposed.report.maps import MOST_ROWS, evenly, short, weighty
from wellposed.report.text import counted, percent, plain

SMALLEST_NORMAL = -14
SMALLEST_SUBNORMAL = -24
FIRST_TOO_LARGE = 16
"""float16's, as exponents of two: 2**-14 is its smallest normal number, 2**-24 its smallest at all, 65,504 the largest
below 2**16. (IEEE 754-2019, binary16)"""
ROUNDED_TO_ZERO = -26
"""Numbers of this exponent and below are nearer to zero than to 2**-24."""
SMALLEST_NORMAL_32 = -126
"""Of float32 and of bfloat16, which has the same exponents."""
_FARTHEST = 160
"""No exponent beyond is drawn: a record tells none apart there."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What would become of the elements that are not zero, cast to float16; each from 0 to 1."""

    elements: int
    zero: float
    subnormal: float
    too_large: float


def exponent_figures(record: Record) -> dict[str, Any] | None:
    """The histogram over all parameters at the first and the last step that have one, and the last step's map, a row a
    parameter; None where no exponents were recorded."""
    found = record.exponents()
    elements: Counter[int] = Counter()
    for each in found:
        elements[each.step] += sum(each.counts) + each.zero
    steps = [step for step, count in elements.items() if count]
    if not steps:
        return None
    # Where gradients are not finite, what is left of them says little.
    bad = {step.id for step in record.steps() if step.gradient_nonfinite}
    whole = [step for step in steps[1:] if step not in bad and 2 * elements[step] >= elements[steps[0]]]
    chosen = [steps[0], *whole[-1:]]
    by_step = {step: [each for each in found if each.step == step] for step in chosen}
    sums = {step: total(rows) for step, rows in by_step.items()}
    scales = {step.id: step for step in record.steps() if step.id in by_step}
    return {
        "title": "exponents of the gradients' elements",
        "histograms": [_histogram(step, *sums[step]) for step in chosen],
        "readings": [sentence for step in chosen for sentence in _sentences(step, *sums[step], scales.get(step))],
        "map": next((drawn for step in chosen[::-1] if (drawn := _exponent_map(record, step, by_step[step]))), None),
    }


def total(rows: Iterable[Exponents]) -> tuple[Counter[int], int]:
    """Counts by exponent over all rows, and how many elements are exactly zero."""
    counts: Counter[int] = Counter()
    zero = 0
    for each in rows:
        zero += _sane(each.zero)
        for offset, count in enumerate(each.counts):
            if count and abs(each.lowest + offset) <= _FARTHEST:
                counts[each.lowest + offset] += _sane(count)
    return counts, zero


def _sane(count: int) -> int:
    """No tensor has more elements, or fewer than none; a damaged record may."""
    return min(max(count, 0), 1 << 53)


def in_float16(counts: Counter[int], doublings: int = 0) -> Shares:
    """The fate of elements with these exponents in float16, after a loss scale of 2**doublings."""
    elements = sum(counts.values())
    shares = Counter[str]()
    for exponent, count in counts.items():
        scaled = exponent + doublings
        if scaled <= ROUNDED_TO_ZERO:
            shares["zero"] += count
        elif scaled < SMALLEST_NORMAL:
            shares["subnormal"] += count
        elif scaled >= FIRST_TOO_LARGE:
            shares["too large"] += count
    of = max(1, elements)
    return Shares(elements, shares["zero"] / of, shares["subnormal"] / of, shares["too large"] / of)


def _histogram(step: int, counts: Counter[int], zero: int) -> dict[str, Any]:
    lowest, highest = (min(counts), max(counts)) if counts else (0, -1)
    everything = max(1, sum(counts.values()) + zero)
    return {
        "step": step,
        "lowest": lowest,
        "shares": [short(counts[exponent] / everything) for exponent in range(lowest, highest + 1)],
        "zero": short(zero / everything),
    }


def _sentences(step: int, counts: Counter[int], zero: int, at: Step | None) -> Iterable[str]:
    everything = sum(counts.values()) + zero
    exact = f" {percent(zero / everything)} are exactly zero." if zero else ""
    if not counts:
        yield f"Step {step}: all {counted(zero, 'element')} looked at are exactly zero."
        return
    shares = in_float16(counts)
    yield f"Step {step}: of {counted(shares.elements, 'element')} that are not zero, {_fate(shares)}.{exact}"
    scale = at.scale if at else None
    if scale is not None and 1 < scale < math.inf:
        scaled = in_float16(counts, round(math.log2(scale)))
        yield f"With this step's loss scale of {scale:,.0f}: {_fate(scaled)}."


def _fate(shares: Shares) -> str:
    if not shares.zero and not shares.subnormal and not shares.too_large:
        return "all are within float16's normal range"
    large = f", {percent(shares.too_large)} too large" if shares.too_large else ""
    return (
        f"float16 would make {percent(shares.zero)} zero (below 2⁻²⁵) and {percent(shares.subnormal)} subnormal "
        f"(below 2⁻¹⁴){large}"
    )


def _exponent_map(record: Record, step: int, rows: Sequence[Exponents]) -> dict[str, Any] | None:
    """The share of each parameter's elements in each exponent, and of exact zeros; None for fewer than two rows, or
    where all is zero."""
    parameters = weighty(record.parameters())
    by_parameter = {each.parameter: each for each in rows}
    shown = evenly([each for each in parameters if each.id in by_parameter], MOST_ROWS)
    if len(shown) < 2:
        return None
    sums = [total([by_parameter[each.id]]) for each in shown]
    every = sorted({exponent for counts, _ in sums for exponent in counts})
    if not every:
        return None
    lowest, highest = every[0], every[-1]
    everything = [max(1, sum(counts.values()) + zero) for counts, zero in sums]
    return {
        "title": f"exponents per parameter, step {step}",
        "step": step,
        "rows": [plain(each.name, 120) for each in shown],
        "all_rows": len(by_parameter),
        "lowest": lowest,
        "zero": [_share(zero, of) for (_, zero), of in zip(sums, everything, strict=True)],
        "cells": [
            [_share(counts[exponent], of) for exponent in range(lowest, highest + 1)]
            for (counts, _), of in zip(sums, everything, strict=True)
        ],
    }


def _share(count: int, of: int) -> float:
    """Two digits; the short 0 for none at all."""
    return float(f"{count / of:.2g}") if count else 0
