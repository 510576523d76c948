"""What became of a product: where it was written, in which order it was done, and what that saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wellposed.chain import tree
from wellposed.chain.lazy.expression import Site
from wellposed.chain.lazy.flattening import Step
from wellposed.chain.lazy.shapes import Shape
from wellposed.chain.text import large, ratio


class Rewrite(NamedTuple):
    """One chain that was evaluated. Multiplications are those of the forward pass, and of the backward pass where one
    was recorded."""

    site: Site | None
    """Of the product that was written last."""
    shapes: tuple[Shape, ...]
    """Of the operands as they enter the products; `transposed` ones are turned already."""
    written: tuple[Step, ...]
    """The products as written: operands first … split - 1 times operands split … end - 1."""
    done: tuple[Step, ...]
    """The products as they were done."""
    before: int
    """Multiplications as written; those of an intermediate that serves several products are told once."""
    after: int
    """Multiplications as done."""
    times: int = 1
    """How often this very thing happened; the counts are of once."""

    @property
    def changed(self) -> bool:
        """Whether the order is another than the one that was written."""
        return set(self.written) != set(self.done)

    @property
    def expression_written(self) -> str:
        """``(A0·A1)·A2``"""
        return _expression(self.written, len(self.shapes))

    @property
    def expression(self) -> str:
        """``A0·(A1·A2)``"""
        return _expression(self.done, len(self.shapes))


def table(rewrites: Sequence[Rewrite], *, everything: bool = False) -> str:
    """One line for each product whose order was changed, then the sum; with `everything`, for all of them."""
    shown = [rewrite for rewrite in rewrites if everything or rewrite.changed]
    rows = [("where", "as written", "done as", "times", "multiplications", "before", "")]
    for rewrite in shown:
        where = f"{rewrite.site.file}:{rewrite.site.line}" if rewrite.site else "?"
        orders = (_short(rewrite.expression_written), _short(rewrite.expression))
        rows.append((where, *orders, *_counts(rewrite.times, rewrite.after, rewrite.before)))
    times = sum(rewrite.times for rewrite in rewrites)
    after = sum(rewrite.after * rewrite.times for rewrite in rewrites)
    before = sum(rewrite.before * rewrite.times for rewrite in rewrites)
    rows.append(("all products", "", "", *_counts(times, after, before)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, _ALIGNED, strict=True)
        lines.append("  ".join(f"{cell:{aligned}{width}}" for cell, width, aligned in cells).rstrip())
    return "\n".join(lines)


_ALIGNED = "<<<>>>>"


def _counts(times: int, after: int, before: int) -> tuple[str, str, str, str]:
    fewer = ratio(before, after) if before > after else ""
    return large(times), large(after), large(before), fewer


MOST_SPELLED = 60
"""Longer expressions are cut."""


def _short(expression: str) -> str:
    return expression if len(expression) <= MOST_SPELLED else f"{expression[: MOST_SPELLED - 1]}…"


def _expression(steps: Sequence[Step], operands: int) -> str:
    return tree.expression([split for _, split, _ in steps], operands)
