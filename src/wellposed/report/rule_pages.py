"""A rule's page and the list of rules, for a terminal. Rich is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellposed.findings import CAUSES, RegisteredRule
from wellposed.findings.rule import SECTIONS
from wellposed.report.terminal import in_colour, render_blocks, terminal_width, write
from wellposed.report.text import counted


def print_page(entry: RegisteredRule, stream: TextIO) -> None:
    """Write the four parts of a rule's page."""
    _print(page_blocks(entry), stream)


def print_list(entries: Sequence[RegisteredRule], stream: TextIO) -> None:
    """Write one line a rule, grouped by cause."""
    _print(list_blocks(entries), stream)


def page_blocks(entry: RegisteredRule) -> Iterable[RenderableType]:
    rule, page = entry.rule, entry.page
    yield Text.assemble((rule.name, "bold"), (f"  {rule.code} · {rule.cause}", "dim"))
    yield Text(rule.summary)
    for heading, body in zip(SECTIONS, (page.sees, page.why, page.example, page.instead), strict=True):
        yield from (Text(), Text(heading, "bold"))
        yield Padding(Markdown(body, code_theme="ansi_dark", hyperlinks=False), (0, 0, 0, 2))


def list_blocks(entries: Sequence[RegisteredRule]) -> Iterable[RenderableType]:
    for cause in CAUSES:
        of_cause = [entry.rule for entry in entries if entry.rule.cause == cause]
        if not of_cause:
            continue
        yield Text(cause, "bold")
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, style="dim")
        table.add_column()
        for rule in of_cause:
            table.add_row(Text(rule.name), Text(rule.code), Text(rule.summary))
        yield from (Padding(table, (0, 0, 0, 2)), Text())
    yield Text(f"{counted(len(entries), 'rule')}; wellposed explain RULE tells more", "dim")


def _print(blocks: Iterable[RenderableType], stream: TextIO) -> None:
    write(render_blocks(blocks, terminal_width(stream), in_colour(stream)), stream)
