"""What a recording holds of operators that ran beside a shadow of higher precision, made into findings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.findings.finding import Role, Severity
from wellposed.record import Operation, Record

WRONG = 0.1
"""Relative error of an output that makes it wrong: not one digit is right."""
HARMFUL = 0.01
"""Relative error of an output below which two digits are right: enough for a loss or a metric that people look at."""
BITS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
"""Of the significand (IEEE 754, the leading one included)."""
_CONDITION_BITS = 3.0
"""Bits of an output's error beyond what rounding its inputs does to it, from which the formula is at fault and not
the question: no formula does better than the condition of the problem (Higham, "Accuracy and Stability of Numerical
Algorithms", section 1.6)."""


_ZERO = 1e-7
"""Of the error: a right answer below it is 0 but for the rounding of the reference itself (float64 against float32)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A formula that lost digits in one step."""

    step: int
    kind: str
    is_first: bool
    """Whether no other formula of the step did more harm."""
    operator: dict[str, Any]
    message: str
    forms: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    """The outputs that lost more than the condition of the problem explains, the worst first."""

    @property
    def error(self) -> float:
        """Relative, of the worst output; at most 1."""
        return max((_relative_error(each) for each in self.outputs), default=0.0)


def lost_digits(record: Record, *kinds: str) -> Iterator[Lost]:
    """Culprits of these kinds, a place each, at the step in which they did most harm."""
    worst: dict[tuple[Any, Any], Lost] = {}
    for event in record.events("digits"):
        outputs = _harmed(event.details.get("outputs", []))
        outputs.sort(key=_relative_error, reverse=True)
        for place_in_order, culprit in enumerate(event.details.get("culprits", [])):
            # What overflows or turns NaN is told by the rules that follow it from its birth.
            if culprit["kind"] not in kinds or not math.isfinite(_number(culprit["operator"]["formula"])):
                continue
            operator = culprit["operator"]
            found = Lost(
                event.step,
                culprit["kind"],
                place_in_order == 0,
                operator,
                culprit["message"],
                tuple(culprit["forms"]),
                tuple(outputs),
            )
            place = (operator["where"]["file"], operator["where"]["line"])
            if place not in worst or found.error > worst[place].error:
                worst[place] = found
    yield from worst.values()


def findings_of(rule: Rule, record: Record, most: Role = "root") -> Iterator[Finding]:
    """What the rule says of the culprits of the kind that it is named after."""
    for lost in lost_digits(record, rule.name):
        finding = finding_of(rule, record, lost, most)
        if finding is not None:
            yield finding


def finding_of(rule: Rule, record: Record, lost: Lost, most: Role = "root") -> Finding | None:
    """The finding, advice where `most` says so; None where no output lost more than the condition of the problem
    explains."""
    if not lost.outputs:
        return None
    operator, output = lost.operator, lost.outputs[0]
    role: Role = "root" if lost.is_first else "consequence"
    role = "advice" if lost.error < HARMFUL or most == "advice" else role
    severity: Severity = "error" if lost.error >= WRONG else "warning" if lost.error >= HARMFUL else "note"
    operation = _operation(record, lost)
    return rule.finding(
        Location(**operator["where"]),
        f"{lost.message}; {_named(output)} is off by {_percent(lost.error)}.",
        severity=severity,
        role=role,
        step=lost.step,
        evidence=_evidence(lost),
        fixes=[_fix(each) for each in lost.forms],
        operations=[operation.id] if operation is not None else [],
    )


def _evidence(lost: Lost) -> Iterator[Evidence]:
    operator, output = lost.operator, lost.outputs[0]
    yield Evidence(f"relative error of {_named(output)}", lost.error, "", HARMFUL)
    yield Evidence("digits left", _number(operator["digits"]["normwise"]), f"in {operator['dtype']}")
    yield Evidence("digits of the inputs", _number(operator["digits_in"]))
    if operator["cancelled_bits"] not in (0, 0.0):
        held = BITS.get(operator["dtype"], 53)
        yield Evidence("bits cancelled", round(min(_number(operator["cancelled_bits"]), held)), f"of {held}")
    yield Evidence("error of the formula with the best inputs", _number(operator["formula"]), "relative")
    if operator["share"]:
        yield Evidence("share of the output's error", _number(operator["share"]))


def _fix(form: dict[str, Any]) -> Fix:
    digits = form.get("digits")
    evidence = () if digits is None else (Evidence("digits left on the same inputs", _number(digits)),)
    return Fix(form["title"], form["code"], evidence=evidence)


def _operation(record: Record, lost: Lost) -> Operation | None:
    """The first recorded operation at the culprit's place."""
    where = lost.operator["where"]
    for each in record.operations(where["operator"], step=lost.step):
        if each.site is not None and (each.site.file, each.site.line) == (where["file"], where["line"]):
            return each
    return None


def _harmed(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that lost more than the condition of the problem explains, but for what tends to zero.

    What loses its digits only in later readings at a place, a residual or a change from step to step, converges: what
    is left of it is rounding, and nobody expects more.
    """
    first: dict[str, float] = {}
    for each in outputs:
        first.setdefault(each["name"], _relative_error(each))
    return [each for each in outputs if _is_harmed(each) and first[each["name"]] >= HARMFUL / 10]


def _is_harmed(output: dict[str, Any]) -> bool:
    """Whether more was lost than the condition of the problem explains; False where that is not known."""
    if not math.isfinite(_number(output["value"])):
        return False
    if abs(_number(output["reference"])) <= _ZERO * abs(_number(output["error"])):
        return False  # the right answer is 0: the divergence of a model from itself
    attribution = output.get("attribution")
    if attribution is None:
        return False
    return abs(_number(attribution["true_error"])) > _number(attribution.get("inherent", 0.0)) * 2**_CONDITION_BITS


def _relative_error(output: dict[str, Any]) -> float:
    digits = _number(output["digits"]["normwise"])
    return float(min(1.0, 10**-digits)) if digits == digits else 1.0


def _number(value: Any) -> float:
    """JSON has no NaN and no infinity: they are strings."""
    return float(value)


def _named(output: dict[str, Any]) -> str:
    return f"`{output['name']}`" if output["name"].isidentifier() else str(output["name"])


def _percent(error: float) -> str:
    return "100 % or more" if error >= 1 else f"{100 * error:.2g} %"
