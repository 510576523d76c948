"""What is known of each operation at each place, over all of its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wellposed.findings import Location
from wellposed.shadow.result import DIGITS_OF, Flip, OperatorDigits, Significant

Place = tuple[Location, str]
"""Where an operation was called, and the text of the line."""


@dataclass(slots=True)
class Row:
    """One operation at one place; errors are those of its worst call."""

    group: int
    place: Place
    name: str
    dtype: str
    calls: int = 0
    elements: int = 0
    rounding: float = 0.0
    formula: float = 0.0
    propagated: float = 0.0
    amplification: float = 0.0
    cancelled_bits: float = 0.0
    digits_in: float | None = None
    digits: Significant | None = None
    limited: bool = False
    terms: int = 1
    coarsest: str = ""

    def finished(self, share: float, moves: bool) -> OperatorDigits:
        where, text = self.place
        most = DIGITS_OF[self.dtype]
        return OperatorDigits(
            id=self.group,
            where=Location(where.file, where.line, where.function, operator=f"numpy.{self.name}"),
            text=text,
            dtype=self.dtype,
            calls=self.calls,
            elements=self.elements,
            rounding=self.rounding,
            formula=self.formula,
            propagated=self.propagated,
            amplification=self.amplification,
            cancelled_bits=self.cancelled_bits,
            digits_in=most if self.digits_in is None else self.digits_in,
            digits=self.digits or Significant(most, most, most, 0.0),
            share=share,
            moves_output=moves,
            limited=self.limited,
            terms=self.terms,
            coarsest=self.coarsest if self.coarsest and DIGITS_OF[self.coarsest] < most else "",
        )


@dataclass(slots=True)
class FlipRow:
    place: Place
    flipped: int = 0
    compared: int = 0
    margin: float = 0.0


@dataclass(slots=True)
class Table:
    """Rows by operation and place, flips by place, and what had no shadow."""

    place: Callable[[], Place]
    rows: dict[tuple[Place, str], Row] = field(default_factory=dict)
    flips: dict[Place, FlipRow] = field(default_factory=dict)
    skips: dict[tuple[str, str], int] = field(default_factory=dict)

    def row(self, name: str, dtype: str) -> Row:
        place = self.place()
        row = self.rows.get((place, name))
        if row is None:
            row = self.rows[place, name] = Row(len(self.rows), place, name, dtype)
        return row

    def skip(self, name: str, reason: str) -> None:
        self.skips[name, reason] = self.skips.get((name, reason), 0) + 1

    def flip(self, flipped: int, compared: int, margin: float) -> None:
        place = self.place()
        row = self.flips.setdefault(place, FlipRow(place))
        row.flipped += flipped
        row.compared += compared
        row.margin = max(row.margin, margin)

    def all_flips(self) -> tuple[Flip, ...]:
        found = [row for row in self.flips.values() if row.flipped]
        return tuple(Flip(row.place[0], row.place[1], row.flipped / row.compared, row.margin) for row in found)
