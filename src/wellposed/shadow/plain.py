"""A report as plain text: what `str` gives. The terminal's own rendering is in `report`."""

from __future__ import annotations

from wellposed.shadow.culprits import base_of
from wellposed.shadow.result import DIGITS_OF, DigitsReport, OperatorDigits, StableForm


def plain_text(report: DigitsReport, most: int = 20) -> str:
    """The outputs, the culprits, the operators that caused most."""
    lines = [f"Digits against {report.reference} ({report.backend}), {report.executed:,} operators"]
    for output in report.outputs:
        held = DIGITS_OF.get(output.dtype, 15.95)
        lines.append(
            f"{output.name}: {output.value:.9g}, exactly {output.reference:.9g}; "
            f"{output.digits.normwise:.1f} of {held:.1f} digits ({output.dtype})"
        )
        if output.attribution is not None:
            lines.append(f"  attribution leaves {output.attribution.residual:.1%} of the error unexplained")
    for culprit in report.culprits:
        lines.append(f"! {_place(culprit.operator)}{culprit.message}")
        lines += [_instead(form) for form in culprit.forms]
    if report.operators:
        lines.append(f"{'share':>6} {'digits':>6} {'in':>5} {'cancel':>6} {'λ':>8} {'ρ':>8}  operator")
        lines += [_row(each) for each in report.operators[:most]]
        hidden = len(report.operators) - most
        if hidden > 0:
            lines.append(f"and {hidden} more operators")
    for flip in report.flips:
        line = f" at line {flip.where.line}" if flip.where.line else ""
        lines.append(
            f"decided otherwise than the reference would{line}: {flip.text} ({flip.share:.2%} of the elements)"
        )
    for name, reason, times in report.skipped:
        lines.append(f"without shadow: {name}, {times} times: {reason}")
    return "\n".join([*lines, *report.notes])


def _instead(form: StableForm) -> str:
    left = "" if form.digits is None else f" ({form.digits:.1f} digits on the same inputs)"
    return f"  instead: {form.code}{left}"


def _place(operator: OperatorDigits) -> str:
    where = operator.where
    return f"{where.file}:{where.line}: " if where.file and where.line else ""


def _row(operator: OperatorDigits) -> str:
    return (
        f"{operator.share:>6.1%} {operator.digits.normwise:>6.1f} {operator.digits_in:>5.1f} "
        f"{operator.cancelled_bits:>6.1f} {operator.formula:>8.1e} {operator.rounding:>8.1e}  "
        f"{base_of(operator.where.operator):<12} {_place(operator)}{operator.text}"
    )
