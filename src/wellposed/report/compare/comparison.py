"""Puts two runs side by side. Knows findings, diagnosis and record, and renders nothing."""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.diagnosis import Diagnosis
from wellposed.findings import Finding
from wellposed.record import Record, RecordError
from wellposed.report.compare.course import common_steps, compare_course, compare_gradients, same_digits
from wellposed.report.compare.digits import coarsest, tolerance
from wellposed.report.compare.model import (
    Comparison,
    Course,
    Extent,
    First,
    Found,
    GradientDifference,
    OperationDifference,
    OperationKind,
    Run,
    Setting,
    Status,
)
from wellposed.report.compare.operations import Operations, compare_operations, dtypes_of
from wellposed.report.compare.settings import Parameters, compare_settings, pair_parameters
from wellposed.report.compare.sources import Sources, compare_sources

Judged = tuple[Record, Diagnosis]

_IN_NUMBERS: set[OperationKind] = {"value", "nonfinite", "dtype", "shape"}
"""Another operator or argument that leaves every number as it is makes no other run."""


def compare(a: Judged, b: Judged) -> Comparison:
    """What differs between two runs, and what differs first. Raises RecordError where a record is damaged."""
    try:
        return _compare(a, b)
    except RecursionError as error:
        raise RecordError("one of the records is damaged: its data are nested deeper than a program's are") from error


def _compare(a: Judged, b: Judged) -> Comparison:
    records = a[0], b[0]
    sources = compare_sources(*records)
    parameters = pair_parameters(*records)
    steps = common_steps(*(record.steps() for record in records))
    alike = [(left.id, left.level) for left, right in steps if left.level == right.level in ("full", "modules")]
    in_full = [step for step, level in alike if level == "full"]
    runs = _run(*a, in_full), _run(*b, in_full)
    limit = tolerance(runs[0].precision, runs[1].precision)
    settings = compare_settings(*records, parameters, limit)
    # Without a step there may still be operators: those of a program that was stopped before its first step ended.
    operations = compare_operations(*records, alike if steps else [(0, "full")], sources, limit)
    gradient, same_gradients, gradients = compare_gradients(*records, parameters.pairs, limit)
    course = compare_course(*records, limit)
    first = _first(settings, operations, gradient, course)
    weights = [each for each in settings if each.kind == "initial-weights"]
    exact = same_digits(steps) and same_gradients and operations.digit is None and not weights
    parted = gradient is not None or course.step_of("loss") is not None or bool(operations.firsts.keys() & _IN_NUMBERS)
    seen = bool(steps or operations.compared or gradients or _weighed(parameters))
    return Comparison(
        a=runs[0],
        b=runs[1],
        status=_status(seen, exact, parted or any(each.beyond for each in weights)),
        tolerance=limit,
        first=first,
        settings=settings,
        sources=sources.differences,
        operations=tuple(operations.firsts.values()),
        first_digit=None if operations.digit in operations.firsts.values() else operations.digit,
        gradient=gradient,
        course=course,
        findings=tuple(_only_in_one(a[1], b[1], sources)),
        extent=Extent(operations.steps, operations.compared, operations.modules, operations.complete),
    )


def _run(record: Record, diagnosis: Diagnosis, in_full: list[int]) -> Run:
    program, steps = record.program, record.steps()
    dtypes = [each.dtype for each in record.parameters()]
    if in_full:
        dtypes += dtypes_of(record, in_full[0])
    return Run(
        record=str(record.path),
        argv=program.argv,
        steps=len(steps),
        full_steps=sum(step.level == "full" for step in steps),
        operations=max(program.operations, record.recorded_operations()),
        exit_code=program.exit_code,
        error=program.error,
        precision=coarsest(dtypes),
        verdict=diagnosis.verdict,
    )


def _weighed(parameters: Parameters) -> bool:
    return any(a.initial and b.initial for a, b in parameters.pairs)


def _status(seen: bool, exact: bool, parted: bool) -> Status:
    if not seen:
        return "nothing"
    return "different" if parted else "same" if exact else "rounding"


def _first(
    settings: tuple[Setting, ...], operations: Operations, gradient: GradientDifference | None, course: Course
) -> First | None:
    """The earliest difference in what the programs did. What was given to them (versions, arguments, source text) is
    none by itself: it may have changed nothing."""
    for setting in settings:
        if setting.kind not in ("version", "argv") and setting.beyond and setting.what != "name":
            name = f"{setting.name}: {setting.what}" if setting.what else setting.name
            return First(setting.kind, 0, name, setting.a, setting.b, setting.a_at, setting.b_at)
    candidates: list[First] = []
    if operations.firsts:
        candidates.append(_first_operation(next(iter(operations.firsts.values()))))
    if gradient is not None:
        values = gradient.a_value, gradient.b_value
        name = f"{gradient.a_name}: {gradient.what} of its gradient"
        candidates.append(First("gradient", gradient.step, name, *values, gradient.a_at, gradient.b_at))
    for each in course.beside:
        if "loss" in each.events:
            candidates.append(First("loss", each.step, "loss", each.a.loss, each.b.loss, None, None))
    return min(candidates, key=lambda each: each.step, default=None)


def _first_operation(found: OperationDifference) -> First:
    either = found.a or found.b
    operator = either.operator or either.module if either else ""
    values = (found.a_value, found.b_value)
    name = f"{operator}: {'argument ' if found.kind == 'argument' else ''}{found.what}"
    if found.kind == "missing":
        name = "operator"
        values = tuple(ran.operator if ran else None for ran in (found.a, found.b))  # type: ignore[assignment]
    return First(
        "operation",
        found.step,
        name,
        *values,
        found.a.at if found.a else None,
        found.b.at if found.b else None,
    )


def _only_in_one(a: Diagnosis, b: Diagnosis, sources: Sources) -> Iterator[Found]:
    """A finding is the same as another of the same rule and role at the same place, whenever it is."""
    keys_a, keys_b = [_key(each, sources) for each in a.findings], [_key(each, None) for each in b.findings]
    yield from (_found("A", each) for key, each in zip(keys_a, a.findings, strict=True) if key not in keys_b)
    yield from (_found("B", each) for key, each in zip(keys_b, b.findings, strict=True) if key not in keys_a)


def _key(finding: Finding, sources: Sources | None) -> tuple[object, ...]:
    where = finding.where
    file, line = where.file, where.line
    if sources is not None and file is not None and line is not None:
        file, line = sources.in_b(file, line)
    return finding.rule, finding.role, file, line, where.operator, where.phase


def _found(run: str, finding: Finding) -> Found:
    where = finding.where
    return Found(
        run="A" if run == "A" else "B",
        rule=finding.rule,
        code=finding.code,
        cause=finding.cause,
        role=finding.role,
        severity=finding.severity,
        step=finding.step,
        message=finding.message,
        file=where.file,
        line=where.line,
        function=where.function,
    )
