"""The report for a terminal: readable at 80 columns, in colour only where that is wanted. Rich is imported here."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellposed.report.bars import Picture
from wellposed.report.epsilons import EpsilonSection, colour_of
from wellposed.report.merge import Runs
from wellposed.report.story import Chapter, Happening, Measured, Remedy, Story, make_story
from wellposed.report.text import counted

_WIDEST = 100
_FOLLOWED = 8
"""Consequences shown a root; the page and the JSON have all."""
_EPSILONS = 5
"""Epsilons shown that are not sound; the page and the JSON have all."""
_BAR = 28
_INDENT = 3
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_ASCII = str.maketrans(
    {"✗": "x", "✓": "+", "▶": ">", "│": "|", "█": "#", "▌": ":", "·": "-", "…": "...", "µ": "u", "→": "->"}
)


def print_report(runs: Runs, stream: TextIO | None = None) -> None:
    """Write the report to `stream` (standard output) as it can bear: its width, colour and character set."""
    stream = sys.stdout if stream is None else stream
    write(render(make_story(runs), width=terminal_width(stream), colour=in_colour(stream)), stream)


def in_colour(stream: TextIO) -> bool:
    """Whether the stream is a terminal that shows colour, and nobody asked for none (NO_COLOR)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width(stream: TextIO) -> int:
    """Columns to fill: those of the terminal up to 100; 80 where there is none."""
    return min(Console(file=stream).width, _WIDEST) if stream.isatty() else 80


def write(text: str, stream: TextIO) -> None:
    """Write text, in letters of ASCII where the stream's encoding has no others."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    stream.write(text)
    stream.flush()


def render(story: Story, *, width: int = 80, colour: bool = False) -> str:
    """The report as text, with ANSI colours where `colour` says so."""
    return render_blocks(_blocks(story, width), width, colour, unwrapped=_commands(story, width))


def render_blocks(
    blocks: Iterable[RenderableType], width: int, colour: bool, unwrapped: Iterable[RenderableType] = ()
) -> str:
    """Blocks as text of this width; then, after an empty line, those that are not to be wrapped."""
    out = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None,
        markup=False, highlight=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    for block in blocks:
        out.print(block)
    for n, line in enumerate(unwrapped):
        if n == 0:
            out.print()
        out.print(line, soft_wrap=True)
    assert isinstance(out.file, io.StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().split("\n"))


def _blocks(story: Story, width: int) -> Iterable[RenderableType]:
    if story.healthy:
        yield Text.assemble(("✓ ", "bold green"), (story.headline, "bold green"))
    else:
        yield Text.assemble(("✗ ", "bold red"), (story.headline, "bold red"))
    yield _indented(Text(f"{story.program}: {story.watched}", "dim"), 2)
    if story.ending:
        yield _indented(Text(story.ending), 2)
    for number, chapter in enumerate(story.chapters, 1):
        yield Text()
        yield from _chapter(chapter, f"{number}. " if len(story.chapters) > 1 else "", width)
    if story.untied:
        yield Text()
        yield _heading("also seen")
        yield _happenings(story.untied)
    if story.advice:
        yield Text()
        yield _heading("advice (did no harm in this run)")
        yield from (_advice(each) for each in story.advice)
    if story.epsilons is not None:
        yield Text()
        yield from _epsilons(story.epsilons)


def _chapter(chapter: Chapter, number: str, width: int) -> Iterable[RenderableType]:
    colour = _COLOURS[chapter.severity]
    step = "" if chapter.step is None else f"step {chapter.step}"
    when = [chapter.severity, chapter.confidence, step, chapter.phase, chapter.ranks]
    yield Text.assemble(
        (f"{number}{chapter.rule}", f"bold {colour}"),
        (f" {chapter.code}", colour),
        ("  " + " · ".join(filter(None, when)), "dim"),
    )
    yield _indented(Text(chapter.message))
    if chapter.confidence:
        yield _indented(_doubt(chapter))
    if chapter.place or chapter.surroundings:
        yield Text()
        yield _indented(_where(chapter))
    for line in chapter.source:
        yield _source_line(line.number, line.text, line.marked, colour, width)
    if chapter.measured:
        yield from (Text(), _heading("measured"), _measured(chapter.measured))
    for each in chapter.pictures:
        yield from (Text(), _picture(each))
    if chapter.followed:
        yield from (Text(), _heading("what followed"))
        if chapter.unfolding and chapter.unfolding.summary:
            yield _indented(Text(chapter.unfolding.summary, "dim"), _INDENT + 2)
        yield _happenings(chapter.followed)
    for remedy in chapter.remedies:
        yield from (Text(), *_remedy(remedy))


def _doubt(chapter: Chapter) -> Text:
    text = Text(f"{chapter.confidence.capitalize()}, not certain.", "italic")
    if chapter.settled_by:
        text.append(f" What would settle it: {chapter.settled_by}")
    return text


def _where(chapter: Chapter) -> Text:
    text = Text()
    text.append(chapter.place, "bold")
    for n, (name, value) in enumerate(chapter.surroundings):
        text.append(" · " if n else "\n" if text else "", "dim")
        text.append(f"{name} ", "dim")
        text.append(value)
    return text


def _source_line(number: int, text: str, marked: bool, colour: str, width: int) -> RenderableType:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(" ▶ " if marked else "   ", f"bold {colour}")
    line.append(f"{number:>5} │ ", "dim")
    line.append(text, "bold" if marked else "")
    line.truncate(width, overflow="ellipsis")
    return line


def _measured(measured: Iterable[Measured]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for each in measured:
        table.add_row(
            Text(each.name), Text(each.value, "bold"), Text(f"limit {each.limit}" if each.limit else "", "dim")
        )
    return _indented(table, _INDENT + 2)


def _picture(picture: Picture) -> RenderableType:
    title = Text(picture.title, "bold")
    if picture.note:
        title.append(f" ({picture.note})", "dim")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(max_width=30, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, width=_BAR)
    table.add_column(justify="right")
    for bar in picture.bars:
        halves = round(bar.fraction * _BAR * 2)
        drawn = "█" * (halves // 2) + "▌" * (halves % 2)
        table.add_row(Text(bar.label), Text(drawn, "bold red" if bar.strange else "blue"), Text(bar.value))
    whole = Table.grid()
    whole.add_row(title)
    whole.add_row(Padding(table, (0, 0, 0, 2)))
    return _indented(whole)


def _happenings(happenings: tuple[Happening, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for each in happenings[:_FOLLOWED]:
        what = Text(each.message)
        beside = ", ".join(filter(None, (each.place, each.ranks, each.confidence)))
        if beside:
            what.append(f" ({beside})", "dim")
        table.add_row("" if each.step is None else f"step {each.step}", what)
    if len(happenings) > _FOLLOWED:
        table.add_row("", Text(f"and {len(happenings) - _FOLLOWED:,} more, in the page", "dim"))
    return _indented(table, _INDENT + 2)


def _remedy(remedy: Remedy) -> Iterable[RenderableType]:
    heading = Text.assemble(("instead: ", "bold green"), (remedy.title, "bold"))
    if remedy.proof:
        heading.append(f" ({remedy.proof})", "green")
    yield _indented(heading)
    style = "green" if remedy.code else ""
    yield _indented(Text("\n".join(remedy.lines), style), _INDENT + 2)
    if remedy.measured:
        yield _measured(remedy.measured)


def _advice(chapter: Chapter) -> RenderableType:
    text = Text()
    text.append(chapter.rule, f"bold {_COLOURS[chapter.severity]}")
    if chapter.confidence:
        text.append(f" {chapter.confidence}", "dim")
    if chapter.place:
        text.append(f" {chapter.place}", "dim")
    text.append(f"\n{chapter.message}")
    if chapter.settled_by:
        text.append(f"\nWhat would settle it: {chapter.settled_by}", "italic")
    for remedy in chapter.remedies[:1]:
        text.append("\ninstead: ", "green")
        text.append(remedy.title)
    return _indented(text)


def _epsilons(told: EpsilonSection) -> Iterable[RenderableType]:
    """One quiet line, and the epsilons that are not sound."""
    unsound = told.unsound
    yield _indented(Text(told.summary, "bold" if unsound else "dim"))
    for row in unsound[:_EPSILONS]:
        text = Text(row.verdict, f"bold {colour_of(row.verdict)}")
        text.append(f" {row.kind}{f' ×{row.times}' if row.times > 1 else ''} {row.place or row.module}".rstrip(), "dim")
        text.append(f"\n{row.message}")
        text.append("\nrecommended: ", "green")
        text.append(row.recommended)
        yield _indented(text, _INDENT + 2)
    if len(unsound) > _EPSILONS:
        yield _indented(Text(f"and {len(unsound) - _EPSILONS:,} more, in the page", "dim"), _INDENT + 2)


def _commands(story: Story, width: int) -> list[Text]:
    """Lines to copy, so none is ever wrapped or cut."""
    records = " ".join(story.records) if len(story.records) <= 3 else f"{story.records[0]} …"
    lines = [(f"wellposed report --format html {records}", "curves, source, operators")]
    lines += [(f"wellposed explain {rule}", "why, and what to do") for rule in story.rules[:3]]
    if len(story.rules) > 3:
        lines.append(("wellposed explain", f"and {counted(len(story.rules) - 3, 'other rule')}"))
    widest = max(len(command) for command, _ in lines)
    return [
        Text.assemble(command.ljust(widest), (f"  # {why}", "dim")) if widest + len(why) + 4 <= width else Text(command)
        for command, why in lines
    ]


def _heading(text: str) -> RenderableType:
    return _indented(Text(text, "bold"))


def _indented(what: RenderableType, by: int = _INDENT) -> RenderableType:
    return Padding(what, (0, 0, 0, by))
