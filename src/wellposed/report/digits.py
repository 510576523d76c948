"""What a run in shadow found, for a terminal: the culprit lines first, then where the digits went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellposed.findings import Location
from wellposed.report.terminal import render_blocks
from wellposed.report.text import counted, human, percent, plain, plain_lines, scientific
from wellposed.shadow.result import DIGITS_OF, Culprit, DigitsReport, Flip, OperatorDigits, OutputDigits, StableForm

MOST_ROWS = 12
"""Operators in the table, unless all are asked for."""
_MOST_FLIPS = 5
_INDENT = 3


def render_digits(
    report: DigitsReport, *, program: str = "", every: bool = False, width: int = 80, colour: bool = False
) -> str:
    """The report as text, with ANSI colours where `colour` says so; every operator in the table with `every`."""
    return render_blocks(_blocks(report, program, every), width, colour)


def headline(report: DigitsReport) -> str:
    """The outcome in one line."""
    if report.culprits:
        worst = min(report.outputs, key=lambda each: each.digits.normwise, default=None)
        left = "" if worst is None else f"; {plain(worst.name)} has {_left(worst.digits.normwise, worst.dtype)} left"
        return f"{counted(len(report.culprits), 'line loses', 'lines lose')} digits{left}"
    if not report.executed:
        return "nothing ran that could be measured"
    return "no formula loses digits that an output needs"


def _blocks(report: DigitsReport, program: str, every: bool) -> Iterator[RenderableType]:
    mark, style = ("✗ ", "bold red") if report.culprits else ("✓ ", "bold green")
    yield Text.assemble((mark, style), (headline(report), style))
    ran = f"{counted(report.executed, 'operator')} beside a shadow in {report.reference}, {report.backend}"
    yield _indented(Text(f"{plain(program)}: {ran}" if program else ran, "dim"), 2)
    if report.outputs:
        yield from (Text(), _heading("outputs"), _outputs(report.outputs))
    for number, culprit in enumerate(report.culprits, 1):
        yield Text()
        yield from _culprit(culprit, f"{number}. " if len(report.culprits) > 1 else "")
    if report.operators:
        shown = report.operators if every else report.operators[:MOST_ROWS]
        yield from (Text(), _heading("where the digits went"), _operators(shown))
        if len(shown) < len(report.operators):
            yield _note(f"and {len(report.operators) - len(shown):,} more (--all shows them)")
    yield from _cautions(report)
    if report.flips:
        yield from (Text(), _heading("decided otherwise than exact numbers would"), _flips(report.flips))
    if report.skipped:
        yield from (Text(), _heading("without a shadow"), _skipped(report.skipped))


def _outputs(outputs: Iterable[OutputDigits]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=34)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_row(*(Text(head, "dim") for head in ("", "", "computed", "exactly", "digits left")))
    for each in outputs:
        left = f"{max(each.digits.normwise, 0.0):.1f} of {_held(each.dtype):.1f}"
        table.add_row(
            Text(plain(each.name), "bold"),
            Text(each.dtype, "dim"),
            Text(human(each.value)),
            Text(_exact(each.reference)),
            Text(left, _style(each.digits.normwise, each.dtype)),
        )
    return _indented(table, _INDENT + 2)


def _culprit(culprit: Culprit, number: str) -> Iterator[RenderableType]:
    operator = culprit.operator
    yield Text.assemble((f"{number}{place(operator.where)}", "bold red"))
    yield _indented(Text("\n".join(plain_lines(culprit.message))))
    if operator.text:
        line = Text(" ▶ ", "bold red", no_wrap=True, overflow="ellipsis")
        line.append(f"{operator.where.line or 0:>5} │ ", "dim")
        line.append(plain(operator.text), "bold")
        yield line
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in _measured(operator):
        table.add_row(Text(name), Text(value, "bold"))
    yield from (Text(), _heading("measured"), _indented(table, _INDENT + 2))
    for form in culprit.forms:
        yield from (Text(), *_form(form, operator.dtype))


def _measured(operator: OperatorDigits) -> Iterator[tuple[str, str]]:
    holds = _held(operator.dtype)
    yield "digits in → out", f"{operator.digits_in:.1f} → {operator.digits.normwise:.1f} of {holds:.1f}"
    if operator.cancelled_bits >= 1:
        bits = holds / math.log10(2)
        yield "bits cancelled", f"{min(operator.cancelled_bits, bits):.0f} of {bits:.0f}"
    yield "error of the formula itself", _relative(operator.formula)
    yield "rounding by the kernel", _relative(operator.rounding)
    inherited = _relative(operator.propagated)
    if operator.amplification > 1:
        inherited += f", {human(operator.amplification)} times its inputs'"
    yield "inherited from its inputs", inherited
    if operator.elements > 1:
        yield "elements with under half the digits", percent(operator.digits.few)
    if operator.share:
        yield "share of the outputs' error that it rounds in", percent(operator.share)
    if operator.limited:
        yield "limited by the reference", "more cancels than it holds; the truth may be worse"


def _form(form: StableForm, dtype: str) -> Iterator[RenderableType]:
    proof = "" if form.digits is None else f" ({_left(form.digits, dtype)} on the same inputs)"
    yield _indented(Text.assemble(("instead: ", "bold green"), (plain(form.title), "bold"), (proof, "green")))
    yield _indented(Text("\n".join(plain_lines(form.code)), "green"), _INDENT + 2)


def _operators(operators: Iterable[OperatorDigits]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=18)
    for _ in range(4):
        table.add_column(justify="right")
    heads = ("line", "operator", "digits", "formula", "rounding", "share")
    table.add_row(*(Text(head, "dim") for head in heads))
    for each in operators:
        table.add_row(
            place(each.where),
            plain(short(each.where.operator)),
            Text(f"{each.digits_in:.1f} → {each.digits.normwise:.1f}", _style(each.digits.normwise, each.dtype)),
            _relative(each.formula),
            _relative(each.rounding),
            percent(each.share),
        )
    return _indented(table, _INDENT + 2)


def _cautions(report: DigitsReport) -> Iterator[RenderableType]:
    for each in report.outputs:
        attribution = each.attribution
        if attribution is not None and abs(attribution.residual) > 0.1:
            yield _note(
                f"shares of {plain(each.name)}: the parts add up to {human(attribution.explained)}, the error is "
                f"{human(attribution.true_error)}; what is not first-order is missing"
            )
        if attribution is not None and 0 < abs(attribution.true_error) <= 8 * attribution.inherent:
            yield _note(
                f"{plain(each.name)} hangs on the last digits of the inputs: rounding them once changes it by about "
                f"{scientific(attribution.inherent)}, so that no formula could leave more digits"
            )
    yield from (_note(plain(each, 400)) for each in report.notes)


def _flips(flips: tuple[Flip, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for each in flips[:_MOST_FLIPS]:
        told = "the branch" if each.share == 1 else f"{percent(each.share)} of the elements"
        table.add_row(place(each.where), Text(plain(each.text), "dim"), f"{told}, by at most {_relative(each.margin)}")
    if len(flips) > _MOST_FLIPS:
        table.add_row("", Text(f"and {len(flips) - _MOST_FLIPS:,} more", "dim"), "")
    return _indented(table, _INDENT + 2)


def _skipped(skipped: Iterable[tuple[str, str, int]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, reason, times in skipped:
        table.add_row(plain(name), Text(plain(reason), "dim"), f"{times:,}×")
    return _indented(table, _INDENT + 2)


def place(where: Location) -> str:
    """``train.py:41 in forward``; ``?`` where nothing is known."""
    if where.file is None:
        return plain(where.module or where.operator or "?")
    line = f"{plain(where.file)}:{where.line}" if where.line else plain(where.file)
    inside = where.function if where.function and where.function != "<module>" else ""
    return f"{line} in {plain(inside)}" if inside else line


def short(operator: str | None) -> str:
    """``sub`` for ``aten.sub.Tensor``, ``subtract`` for ``numpy.sub.subtract``."""
    parts = (operator or "?").split(".")
    if len(parts) < 3:
        return parts[-1]
    return parts[-1] if parts[0] == "numpy" else parts[1]


def _relative(error: float) -> str:
    return "0" if error == 0 else scientific(error)


def _exact(value: float) -> str:
    return f"{value:.8g}"


def _left(digits: float, dtype: str) -> str:
    return f"{max(digits, 0.0):.1f} of {_held(dtype):.1f} digits"


def _held(dtype: str) -> float:
    return DIGITS_OF.get(dtype, DIGITS_OF["float64"])


def _style(digits: float, dtype: str) -> str:
    share = digits / _held(dtype)
    return "bold red" if share < 0.25 else "yellow" if share < 0.5 else ""


def _heading(text: str) -> RenderableType:
    return _indented(Text(text, "bold"))


def _note(text: str) -> RenderableType:
    return _indented(Text(text, "dim"), _INDENT + 2)


def _indented(what: RenderableType, by: int = _INDENT) -> RenderableType:
    return Padding(what, (0, 0, 0, by))
