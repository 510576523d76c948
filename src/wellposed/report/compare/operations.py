"""The first operation that differs: in being there at all, in what it was given, in what it made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wellposed.record import Level, ModuleStep, Operand, Operation, Record, Statistics
from wellposed.report.compare.align import paired, renamed, renamed_roots, stretches
from wellposed.report.compare.digits import gap
from wellposed.report.compare.model import OperationDifference, OperationKind, Ran
from wellposed.report.compare.settings import differ, place, scalar
from wellposed.report.compare.sources import Sources

MOST_A_STEP = 100_000
MOST = 200_000
"""Operations of one run that are looked at; a minute's work."""
_UNWRITTEN = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted")
"""Their values are whatever the memory held."""


@dataclass(slots=True)
class Operations:
    """What was found so far: the first difference of each kind, in order of time."""

    firsts: dict[OperationKind, OperationDifference] = field(default_factory=dict)
    digit: OperationDifference | None = None
    steps: int = 0
    modules: int = 0
    compared: int = 0
    complete: bool = True

    @property
    def parted(self) -> bool:
        """Whether values differ beyond rounding: what comes in later steps follows from that."""
        return bool(self.firsts.keys() & {"value", "nonfinite"})

    def add(self, difference: OperationDifference) -> None:
        self.firsts.setdefault(difference.kind, difference)


def compare_operations(
    a: Record, b: Record, steps: Sequence[tuple[int, Level]], sources: Sources, tolerance: float
) -> Operations:
    """Over these steps in order, until values part. Raises RecordError where a record is damaged."""
    found = Operations()
    for step, level in steps:
        if found.parted:
            break
        if found.compared + found.modules >= MOST:
            found.complete = False
            break
        found.steps += 1
        if level == "modules":
            _compare_modules(a.module_steps(step), b.module_steps(step), tolerance, found)
            continue
        of_step = [list(itertools.islice(record.operations(step=step), MOST_A_STEP + 1)) for record in (a, b)]
        if max(map(len, of_step)) > MOST_A_STEP:
            found.complete = False
        _compare_step(of_step[0][:MOST_A_STEP], of_step[1][:MOST_A_STEP], sources, tolerance, found)
    return found


def dtypes_of(record: Record, step: int) -> Iterator[str]:
    """Of all results of a step."""
    for operation in itertools.islice(record.operations(step=step), MOST_A_STEP):
        yield from (each.dtype for each in operation.outputs)


def _compare_step(
    a: list[Operation], b: list[Operation], sources: Sources, tolerance: float, found: Operations
) -> None:
    roots = renamed_roots([each.module for each in a], [each.module for each in b])
    keys_a = [(each.operator, sources.key_in_b(each.site), renamed(each.module, roots), each.phase) for each in a]
    keys_b = [
        (each.operator, (each.site.file, each.site.line) if each.site else None, each.module, each.phase) for each in b
    ]
    for stretch in stretches(keys_a, keys_b):
        if stretch.same:
            for n, m in zip(stretch.a, stretch.b, strict=True):
                _compare_pair(a[n], b[m], tolerance, found)
            found.compared += len(stretch.a)
        elif "missing" not in found.firsts:
            left, right = (ops[n[0]] if n else None for ops, n in ((a, stretch.a), (b, stretch.b)))
            step = (left or right or a[0]).step
            found.add(OperationDifference("missing", step, _ran(left), _ran(right), "", None, None))


def _compare_pair(a: Operation, b: Operation, tolerance: float, found: Operations) -> None:
    if "argument" not in found.firsts:
        for name in dict.fromkeys((*a.arguments, *b.arguments)):
            left, right = scalar(a.arguments.get(name)), scalar(b.arguments.get(name))
            if differ(left, right):
                found.add(OperationDifference("argument", a.step, _ran(a), _ran(b), name, left, right))
                break
    for result, other in zip(a.outputs, b.outputs, strict=False):
        _compare_results(a, b, result, other, tolerance, found)


def _compare_results(
    a: Operation, b: Operation, left: Operand, right: Operand, tolerance: float, found: Operations
) -> None:
    ran = _ran(a, left), _ran(b, right)
    plainly: tuple[tuple[OperationKind, object, object], ...] = (
        ("dtype", left.dtype, right.dtype),
        ("device", left.device, right.device),
        ("shape", list(left.shape), list(right.shape)),
    )
    for plain_kind, one, other in plainly:
        if one != other:
            found.add(OperationDifference(plain_kind, a.step, *ran, plain_kind, scalar(one), scalar(other)))
    if left.statistics is None or right.statistics is None or a.base in _UNWRITTEN:
        return
    _compare_statistics(a.step, ran, left.statistics, right.statistics, tolerance, found)


def _compare_statistics(
    step: int, ran: tuple[Ran | None, Ran | None], a: Statistics, b: Statistics, tolerance: float, found: Operations
) -> None:
    apart = gap(a, b)
    if apart is None:
        return
    kind: OperationKind = "nonfinite" if apart.what in ("NaN", "infinities") else "value"
    difference = OperationDifference(kind, step, *ran, apart.what, apart.a, apart.b, apart.relative)
    if found.digit is None:
        found.digit = difference
    if apart.relative > tolerance:
        found.add(difference)


def _compare_modules(a: list[ModuleStep], b: list[ModuleStep], tolerance: float, found: Operations) -> None:
    pairs, _, _ = paired([(each.module, each.module) for each in a], [(each.module, each.module) for each in b])
    for n, m in pairs:
        left, right = a[n], b[m]
        ran = _output(left), _output(right)
        _compare_statistics(left.step, ran, left.output, right.output, tolerance, found)
    found.modules += len(pairs)


def _output(of: ModuleStep) -> Ran:
    statistics = of.output
    return Ran(
        operation=None, operator="", phase="forward", module=of.module, at=None, shape=(), dtype="", device="",
        root_mean_square=statistics.root_mean_square, minimum=statistics.minimum, maximum=statistics.maximum,
        nonfinite=statistics.nonfinite,
    )  # fmt: skip


def _ran(operation: Operation | None, operand: Operand | None = None) -> Ran | None:
    if operation is None:
        return None
    operand = operand or operation.output
    statistics = operand.statistics if operand else None
    return Ran(
        operation=operation.id,
        operator=operation.operator,
        phase=operation.phase,
        module=operation.module,
        at=place(operation.site),
        shape=operand.shape if operand else (),
        dtype=operand.dtype if operand else "",
        device=operand.device if operand else "",
        root_mean_square=statistics.root_mean_square if statistics else None,
        minimum=statistics.minimum if statistics else None,
        maximum=statistics.maximum if statistics else None,
        nonfinite=statistics.nonfinite if statistics else None,
    )
