"""An entry of the catalogue of rewrites, and the list of them, for a terminal. Rich is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from wellposed.report.terminal import in_colour, render_blocks, terminal_width, write
from wellposed.report.text import counted
from wellposed.rewrites import Failure, Rewrite

_INDENT = (0, 0, 0, 2)


def print_rewrite(rewrite: Rewrite, stream: TextIO) -> None:
    """Write one entry: why it fails, when in each dtype, the stable form, the sources."""
    _print(rewrite_blocks(rewrite), stream)


def print_rewrites(rewrites: Sequence[Rewrite], stream: TextIO) -> None:
    """Write one line an entry, grouped by family."""
    _print(list_blocks(rewrites), stream)


def rewrite_blocks(rewrite: Rewrite) -> Iterable[RenderableType]:
    yield Text.assemble((rewrite.name, "bold"), (f"  {rewrite.family.replace('_', ' ')} · {rewrite.cause}", "dim"))
    yield Text(rewrite.title)
    yield from (Text(), Text(rewrite.what))
    yield from _code("The unstable form", rewrite.unstable)
    of = "Its gradient fails" if rewrite.of == "gradient" else "It fails"
    yield from (Text(), Text("When it fails", "bold"))
    yield Padding(Text(f"{of} when {rewrite.when.replace('{limit}', 'LIMIT')}."), _INDENT)
    yield Padding(_table(rewrite), _INDENT)
    yield from _code("The stable form", rewrite.stable)
    if rewrite.changes_meaning:
        yield Padding(Text(f"It changes the meaning: {rewrite.changes_meaning}."), _INDENT)
    if rewrite.rules:
        yield from (Text(), Text("Found by", "bold"), Padding(Text(", ".join(rewrite.rules)), _INDENT))
    yield from (Text(), Text("Sources", "bold"))
    yield from (Padding(Text(each), _INDENT) for each in rewrite.sources)


def list_blocks(rewrites: Sequence[Rewrite]) -> Iterable[RenderableType]:
    for family in dict.fromkeys(rewrite.family for rewrite in rewrites):
        yield Text(family.replace("_", " "), "bold")
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column()
        for rewrite in rewrites:
            if rewrite.family == family:
                table.add_row(Text(rewrite.name), Text(rewrite.title))
        yield from (Padding(table, _INDENT), Text())
    yield Text(f"{counted(len(rewrites), 'rewrite')}; wellposed explain REWRITE tells more", "dim")


def failing_input(rewrite: Rewrite, failure: Failure) -> str:
    """The failing input of a dtype as assignments."""
    given = ", ".join(f"{name} = {text}" for name, text in rewrite.input.items())
    return given if failure.at is None else f"{given} at t = {failure.at:g}"


def _table(rewrite: Rewrite) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    limit = [] if rewrite.t is None else ["limit"]
    for heading in ("dtype", *limit, "failing input", "digits lost there"):
        table.add_column(heading)
    for failure in rewrite.fails:
        shown = [] if failure.limit is None else [f"{failure.limit:g}"]
        lost = f"{failure.loses:.1f}"
        table.add_row(*(Text(each) for each in (failure.dtype, *shown, failing_input(rewrite, failure), lost)))
    return table


def _code(heading: str, forms: object) -> Iterable[RenderableType]:
    assert isinstance(forms, dict)
    yield from (Text(), Text(heading, "bold"))
    for code in forms.values():
        yield Padding(
            Syntax(code.strip(), "python", theme="ansi_dark", background_color="default", word_wrap=True), _INDENT
        )


def _print(blocks: Iterable[RenderableType], stream: TextIO) -> None:
    write(render_blocks(blocks, terminal_width(stream), in_colour(stream)), stream)
