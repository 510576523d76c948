"""The epsilons of a run in words: rows for the reports, the part of the JSON contract, a table for a notebook.

Every string of a row has been through `plain`: no renderer needs to fear what a record holds.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wellposed.advice import VERDICTS, Distribution, Epsilon, epsilons_in
from wellposed.findings import Location
from wellposed.record import Record
from wellposed.report.text import MESSAGE_LIMIT, counted, plain

_WIDTH = 132
"""Columns of the table: the wide setting of terminals since the VT100."""
_COLOURS = {"sound": "green", "too small": "yellow", "too large": "yellow"}
_known: weakref.WeakKeyDictionary[Record, tuple[Epsilon, ...]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class EpsilonRow:
    """One or several epsilons of which the same is to be said."""

    verdict: str
    kind: str
    place: str
    """``train.py:12``; the module's path beside it; empty where unknown."""
    module: str
    times: int
    """How many epsilons (layers, places) this is."""
    value: str
    """With its dtype, and what it is there where that is another number."""
    protects: str
    """The quantity, its median (1 % to 99 % quantile); as recorded, its mean (smallest to largest)."""
    effect: str
    """Amplification forward and backward."""
    bias: str
    recommended: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class EpsilonSection:
    """The epsilons of a run."""

    summary: str
    """``14 epsilons, 12 sound``."""
    total: int
    sound: int
    rows: tuple[EpsilonRow, ...]
    """All of them, most serious first."""

    @property
    def unsound(self) -> tuple[EpsilonRow, ...]:
        return tuple(each for each in self.rows if each.verdict != "sound")


def epsilons_of(record: Record) -> tuple[Epsilon, ...]:
    """The epsilons of a record, found once. Raises RecordError where it is damaged."""
    if record not in _known:
        _known[record] = epsilons_in(record)
    return _known[record]


def section(epsilons: Sequence[Epsilon]) -> EpsilonSection | None:
    """None where the program has no epsilon, and lacks none."""
    if not epsilons:
        return None
    sound = sum(each.sound for each in epsilons)
    absent = sum(each.verdict == "missing" and each.value == 0 for each in epsilons)
    there = len(epsilons) - absent
    parts = [
        counted(there, "epsilon") + ("" if sound < there or not there else ", all sound" if there > 1 else ", sound")
    ]
    if sound < there:
        parts.append(f"{sound} sound")
    if absent:
        parts.append(f"{absent} missing")
    return EpsilonSection(", ".join(parts), len(epsilons), sound, rows_of(epsilons))


def rows_of(epsilons: Iterable[Epsilon]) -> tuple[EpsilonRow, ...]:
    """Most serious first; layers of one line and one value, with one verdict, are one row."""
    groups: dict[tuple[object, ...], list[Epsilon]] = {}
    for each in epsilons:
        key = (VERDICTS.index(each.verdict), each.where.file, each.where.line, each.kind, each.value, each.dtype)
        groups.setdefault(key, []).append(each)
    return tuple(_row(groups[key]) for key in sorted(groups, key=lambda key: int(str(key[0]))))


def to_json(epsilon: Epsilon) -> dict[str, Any]:
    """One epsilon in the contract; numbers that are unknown are null."""
    where = epsilon.where
    return {
        "verdict": epsilon.verdict,
        "kind": epsilon.kind,
        "where": {
            "file": where.file, "line": where.line, "function": where.function, "module": where.module,
            "operator": where.operator, "phase": where.phase, "library": where.library,
        },
        "value": epsilon.value,
        "clamps": epsilon.clamps,
        "dtype": epsilon.dtype,
        "value_in_dtype": epsilon.value_in_dtype,
        "use": epsilon.use,
        "quantity": epsilon.quantity,
        "protected": _distribution(epsilon.protected),
        "spacing": epsilon.spacing,
        "absorbed": epsilon.absorbed,
        "forward": epsilon.forward,
        "backward": epsilon.backward,
        "forward_in_dtype": epsilon.forward_in_dtype,
        "backward_in_dtype": epsilon.backward_in_dtype,
        "bias": epsilon.bias,
        "dominated": epsilon.dominated,
        "recommended": {
            "low": epsilon.recommended.low, "high": epsilon.recommended.high, "reason": epsilon.recommended.reason
        },
        "message": epsilon.message,
        "times": epsilon.times,
    }  # fmt: skip


def table_text(epsilons: Sequence[Epsilon], width: int = _WIDTH) -> str:
    """A table of the epsilons, and a sentence for each that is not sound.

    Of what an epsilon protects stand the median and the 1 % and 99 % quantiles; "as recorded", mean and extremes.
    """
    from rich.table import Table
    from rich.text import Text

    from wellposed.report.terminal import render_blocks

    told = section(epsilons)
    if told is None:
        return "no epsilon was met\n"
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("verdict", "epsilon", "where", "value", "protects", "amplifies", "bias", "recommended"):
        table.add_column(name, overflow="fold", no_wrap=name not in ("where", "value", "protects"))
    for row in told.rows:
        kind = f"{row.kind} ×{row.times}" if row.times > 1 else row.kind
        cells = (kind, row.place or row.module, row.value, row.protects, row.effect, row.bias, row.recommended)
        table.add_row(Text(row.verdict, colour_of(row.verdict)), *map(Text, cells))
    sentences = [Text(f"{row.verdict}: {row.place or row.module}: {row.message}") for row in told.unsound]
    return render_blocks([Text(told.summary, "bold"), table, *sentences], width, colour=False)


def colour_of(verdict: str) -> str:
    return _COLOURS.get(verdict, "red")


def _row(group: list[Epsilon]) -> EpsilonRow:
    first = group[0]
    return EpsilonRow(
        verdict=first.verdict,
        kind=plain(first.kind),
        place=_place(first.where),
        module=plain(first.where.module or ""),
        times=len(group),
        value=_value(first),
        protects=_protects(first),
        effect=_effect(first),
        bias="" if first.bias is None else "0" if first.bias == 0 else f"{first.bias:.2g}",
        recommended=_range(first),
        reason=plain(first.recommended.reason, MESSAGE_LIMIT),
        message=plain(first.message, MESSAGE_LIMIT),
    )


def _place(where: Location) -> str:
    if where.file is None:
        return ""
    return plain(where.file) + ("" if where.line is None else f":{where.line}")


def _value(epsilon: Epsilon) -> str:
    if epsilon.value == 0 and epsilon.verdict == "missing":
        return f"none, {plain(epsilon.dtype)}"
    shown = f"1 - {1 - epsilon.value:.2g}" if 0.5 < epsilon.value < 1 else f"{epsilon.value:.3g}"
    held = epsilon.value_in_dtype
    differs = not math.isclose(held, epsilon.value, rel_tol=0.005) or (held == 1) != (epsilon.value == 1)
    return f"{shown} ({held:.3g} in {plain(epsilon.dtype)})" if differs else f"{shown} {plain(epsilon.dtype)}"


def _protects(epsilon: Epsilon) -> str:
    spread, name = epsilon.protected, plain(epsilon.quantity)
    if spread is None:
        return name
    if math.isnan(spread.typical):
        return f"{name} 0"
    if spread.measured:
        low, middle, high = (spread.quantile(share) or 0.0 for share in (0.01, 0.5, 0.99))
        return f"{name} {middle:.2g} ({low:.2g} to {high:.2g})"
    return f"{name} {spread.typical:.2g} ({spread.minimum:.2g} to {spread.maximum:.2g}, as recorded)"


def _effect(epsilon: Epsilon) -> str:
    parts = []
    for factor, held in (
        (epsilon.forward, epsilon.forward_in_dtype),
        (epsilon.backward, epsilon.backward_in_dtype),
    ):
        if factor is None:
            parts.append("-")
        else:
            parts.append("inf" if held is not None and math.isinf(held) else f"{factor:.2g}")
    return "" if parts == ["-", "-"] else ", ".join(parts)


def _range(epsilon: Epsilon) -> str:
    bounds = epsilon.recommended
    if bounds.low is None:
        return "none serves"
    return f"from {bounds.low:.1g}" if bounds.high is None else f"{bounds.low:.1g} to {bounds.high:.1g}"


def _distribution(spread: Distribution | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    quantiles = {f"{share:g}": spread.quantile(share) for share in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)}
    return {
        "count": spread.count,
        "zero": spread.zero,
        "minimum": spread.minimum,
        "typical": spread.typical,
        "maximum": spread.maximum,
        "negative": spread.negative,
        "quantiles": quantiles if spread.measured else None,
    }
