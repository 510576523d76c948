"""What a rule is: a name, a code, a cause, a page of documentation, and a pure function of a record."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wellposed.findings.causes import Cause
from wellposed.findings.finding import Confidence, Evidence, Finding, Fix, Location, Role, Series, Severity

if TYPE_CHECKING:
    from wellposed.record import Record

SECTIONS = ("What it sees", "Why it matters", "A program that shows it", "What to do instead")


@dataclass(frozen=True, slots=True)
class Page:
    """A rule's documentation in its four parts, as Markdown; the last two hold one fenced Python program each."""

    title: str
    sees: str
    why: str
    example: str
    instead: str

    @property
    def example_program(self) -> str:
        return _fenced_program(self.example)

    @property
    def instead_program(self) -> str:
        return _fenced_program(self.instead)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, declared once as ``RULE`` in the file named after it, beside its ``check`` function."""

    name: str
    code: str
    cause: Cause
    summary: str
    """One line for lists: what is wrong, not what to do."""
    specificity: int = 0
    """Where several rules explain the same operation, the most specific is believed: 0 for a rule that knows a kind of
    operator, more for one that recognises how it is used, less for one that only sees the symptom."""

    def finding(
        self,
        where: Location,
        message: str,
        *,
        severity: Severity = "error",
        role: Role = "root",
        step: int | None = None,
        evidence: Iterable[Evidence] = (),
        fixes: Iterable[Fix] = (),
        series: Iterable[Series] = (),
        operations: Iterable[int] = (),
        cause: Cause | None = None,
        confidence: Confidence = "certain",
        settled_by: str = "",
    ) -> Finding:
        """A finding that carries this rule's name and code (and its cause, unless the evidence says another)."""
        return Finding(
            rule=self.name,
            code=self.code,
            cause=cause or self.cause,
            severity=severity,
            where=where,
            message=message,
            step=step,
            role=role,
            evidence=tuple(evidence),
            fixes=tuple(fixes),
            series=tuple(series),
            operations=tuple(operations),
            confidence=confidence,
            settled_by=settled_by,
            specificity=self.specificity,
        )


@dataclass(frozen=True, slots=True)
class RegisteredRule:
    """A rule with what the registry found beside it in its file."""

    rule: Rule
    check: Callable[[Record], Iterable[Finding]]
    page: Page


def parse_page(docstring: str) -> Page:
    """Split a rule file's docstring into its title and four sections.

    Raises ValueError where a section is missing, out of order, or where one of the last two holds no program.
    """
    text = inspect.cleandoc(docstring)
    title, _, body = text.partition("\n")
    parts = re.split(r"^## +(.+?) *$", body, flags=re.MULTILINE)
    names, texts = tuple(parts[1::2]), [part.strip() for part in parts[2::2]]
    if names != SECTIONS:
        raise ValueError(f"a rule's page has the sections {', '.join(SECTIONS)}; found {', '.join(names) or 'none'}")
    page = Page(title.strip().rstrip("."), *texts)
    for name, program in (("example", page.example_program), ("instead", page.instead_program)):
        if not program:
            raise ValueError(f"the {name} section of a rule's page holds no ```python program")
    return page


def _fenced_program(markdown: str) -> str:
    found = re.search(r"^```python\n(.*?)^```", markdown, flags=re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""
