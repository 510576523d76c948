"""The comparison for a terminal: readable at 80 columns. Rich is imported here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellposed.report.compare.account import Account, Diff, OnlyHere, Side
from wellposed.report.compare.rows import Group, Section
from wellposed.report.terminal import in_colour, render_blocks, terminal_width, write

_INDENT = 3
_DIFF_LINES = 16
"""Shown of all files together; the page and the JSON have more."""
_MOST_ONLY_HERE = 6
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def print_account(account: Account, stream: TextIO | None = None) -> None:
    """Write it to `stream` (standard output) as it can bear: its width, colour and character set."""
    stream = sys.stdout if stream is None else stream
    write(render(account, width=terminal_width(stream), colour=in_colour(stream)), stream)


def render(account: Account, *, width: int = 80, colour: bool = False) -> str:
    """The comparison as text, with ANSI colours where `colour` says so."""
    return render_blocks(_blocks(account, width), width, colour, unwrapped=[_command(account, width)])


def _blocks(account: Account, width: int) -> Iterable[RenderableType]:
    style = "bold green" if account.same else "bold red"
    yield Text.assemble(("✓ " if account.same else "✗ ", style), (account.headline, style))
    yield from (_side(side) for side in account.sides)
    yield from (_indented(Text(sentence), 2) for sentence in account.sentences)
    yield from _section(account.given, width)
    yield from _diffs(account.diffs)
    yield from _section(account.parting, width)
    yield from _section(account.course, width)
    yield from _only_here(account.only_here)


def _side(side: Side) -> RenderableType:
    text = Text.assemble((f"{side.letter} ", "bold"), side.record, (f": {side.program}: {side.facts}; ", "dim"))
    text.append(side.verdict, "green" if side.healthy else "bold red")
    if side.ending:
        text.append(f"; {side.ending}")
    table = Table.grid()
    table.add_column()
    table.add_row(text)
    return _indented(table, 2)


def _section(section: Section, width: int) -> Iterable[RenderableType]:
    if not section.groups:
        return
    yield Text()
    heading = Text.assemble((section.title, "bold"))
    if section.note:
        heading.append(f" ({section.note})", "dim")
    yield _indented(heading)
    for group in section.groups:
        yield from _group(group, width)


def _group(group: Group, width: int) -> Iterable[RenderableType]:
    if group.title:
        yield _indented(Text(group.title), _INDENT + 2)
    room = width - _INDENT - 4
    table = Table.grid(padding=(0, 2, 0, 0))
    # The columns of all groups stand under each other.
    for share in (0.34, 0.25, 0.25):
        table.add_column(width=int(room * share) - 2, overflow="fold")
    table.add_column(style="dim", overflow="fold", ratio=1)
    notes = any(row.note for row in group.rows)
    if not group.title:
        table.add_row("", Text("A", "bold"), Text("B", "bold"), "")
    for row in group.rows:
        table.add_row(row.name, row.a, row.b, row.note if notes else "")
    yield _indented(table, _INDENT + 4)


def _diffs(diffs: tuple[Diff, ...]) -> Iterable[RenderableType]:
    left = _DIFF_LINES
    for diff in diffs:
        yield Text()
        yield _indented(Text.assemble(("source: ", "bold"), diff.title))
        for line in diff.lines[:left]:
            style = {"-": "red", "+": "green"}.get(line[:1], "dim")
            yield _indented(Text(line, style, no_wrap=True, overflow="ellipsis"), _INDENT + 2)
        more = diff.left_out + len(diff.lines[left:])
        if more:
            yield _indented(Text(f"and {more:,} more lines, in the page", "dim"), _INDENT + 2)
        left = max(0, left - len(diff.lines))


def _only_here(found: tuple[OnlyHere, ...]) -> Iterable[RenderableType]:
    told = [each for each in found if each.role != "consequence"]
    if not told:
        return
    yield Text()
    yield _indented(Text("found in one of them only", "bold"))
    for each in told[:_MOST_ONLY_HERE]:
        where = ", ".join(filter(None, (each.place, "" if each.step is None else f"step {each.step}")))
        text = Text.assemble(
            (f"{each.letter} ", "bold"), (each.rule, f"bold {_COLOURS[each.severity]}"), (f" {where}", "dim")
        )
        text.append(f"\n{each.message}")
        yield _indented(text, _INDENT + 2)
    if len(told) > _MOST_ONLY_HERE:
        yield _indented(Text(f"and {len(told) - _MOST_ONLY_HERE:,} more, in the page", "dim"), _INDENT + 2)


def _command(account: Account, width: int) -> Text:
    why = "  # both courses in one picture"
    return Text.assemble(account.command, (why, "dim") if len(account.command) + len(why) <= width else "")


def _indented(what: RenderableType, by: int = _INDENT) -> RenderableType:
    return Padding(what, (0, 0, 0, by))
