"""Words and evidence that rules about NaN and infinities share."""

from __future__ import annotations

import math
from typing import Any

from wellposed.findings import Evidence, Finding, Fix, Rule, Severity
from wellposed.findings.causes import Cause
from wellposed.record import Operand, Operation
from wellposed.rules.numerics.births import Birth
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.tracing import location


def number(value: Any) -> str:
    """A number as a sentence holds it: three digits, exponent only where it helps."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "NaN"
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{value:.3g}"


def share(part: int, whole: int) -> str:
    """How many of how many, in words: "all 24", "3 of 24"."""
    return f"all {whole}" if part == whole and whole > 1 else f"{part} of {whole}"


def made(birth: Birth) -> str:
    """What came out: "NaN", "inf" or "-inf", with how many."""
    statistics = next((each.statistics for each in birth.operation.outputs if each.nonfinite), None)
    if statistics is None:
        return birth.kind
    if birth.kind == "nan":
        return f"NaN in {share(statistics.nan, statistics.count)}"
    name = "-inf" if statistics.negative_infinity > statistics.positive_infinity else "inf"
    return f"{name} in {share(statistics.infinite, statistics.count)}"


def operand_evidence(operand: Operand | None, what: str) -> list[Evidence]:
    """Smallest, largest and zeros of an operand, where they are known."""
    if operand is None or operand.statistics is None:
        return []
    s = operand.statistics
    rows = [Evidence(f"smallest {what}", s.minimum), Evidence(f"largest {what}", s.maximum)]
    if s.zero:
        rows.append(Evidence(f"zeros among the {what}s", s.zero, f"of {s.count}"))
    return [row for row in rows if not (isinstance(row.value, float) and math.isnan(row.value))]


def probe_evidence(birth: Birth) -> list[Evidence]:
    """The values that met at the first bad element."""
    probes = birth.operation.probes
    rows = [
        Evidence(f"{name.removeprefix('input ')} at the first bad element", value)
        for name, value in probes.items()
        if name.startswith("input ") and value is not None
    ]
    if probes.get("index"):
        rows.append(Evidence("index of the first bad element", str(tuple(probes["index"]))))
    return rows


def overflow_evidence(birth: Birth) -> list[Evidence]:
    """The value in float64 against the largest that the result's dtype holds."""
    output = birth.operation.output
    exact = birth.operation.probes.get("float64", {}).get("largest")
    if output is None or not isinstance(exact, float):
        return []
    return [Evidence("largest value in float64", exact, "", format_of(output.dtype).largest)]


def birth_finding(
    rule: Rule,
    birth: Birth,
    message: str,
    *,
    evidence: list[Evidence],
    fixes: list[Fix],
    severity: Severity = "error",
    cause: Cause | None = None,
    at: Operation | None = None,
) -> Finding:
    """A finding about a birth, resting on its operation; placed where that stands, or at the operation `at`."""
    operation = birth.operation
    return rule.finding(
        location(at or operation),
        message,
        severity=severity,
        step=operation.step,
        evidence=[*evidence, *probe_evidence(birth)],
        fixes=fixes,
        operations=[operation.id],
        cause=cause,
    )
