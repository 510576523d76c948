"""Epsilon that guards nothing.

## What it sees
A small number that was added, or clamped to, in order to keep a denominator or an argument off zero, and that did
not: it is 0 in the dtype (1e-8 in float16), it was absorbed by what it was added to (x + ε = x), it rounded to the
very limit (1 − 1e-8 is 1 in float32), or the clamped result was never used. PyTorch's own defaults are among them:
`F.normalize` and `F.cosine_similarity` return NaN for zero vectors in float16, `Adam` divides by 0.

## Why it matters
The code looks guarded and is not, so that the fault is sought elsewhere.

## A program that shows it
```python
import torch

def compute(p):
    p = p.clamp(1e-8, 1 - 1e-8)
    return -torch.log(1 - p).mean()

safe = torch.tensor([0.25, 0.5])
p = torch.tensor([0.5, 1.0], requires_grad=True)
loss = compute(p)
loss.backward()
```

## What to do instead
Choose ε by the dtype: at least `finfo.eps` beside 1, at least `finfo.tiny` beside 0; or compute in float32.
```python
import torch

def compute(p):
    eps = torch.finfo(p.dtype).eps
    p = p.clamp(eps, 1 - eps)
    return -torch.log(1 - p).mean()

safe = torch.tensor([0.25, 0.5])
p = torch.tensor([0.5, 1.0], requires_grad=True)
loss = compute(p)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.epsilon.guards import Guard, fault_of, guards_before, guards_of
from wellposed.rules.numerics.formulas import divisor, subject
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.numerics.wording import birth_finding, made

RULE = Rule(
    name="ineffective-epsilon",
    code="N261",
    cause="epsilon",
    summary="an epsilon is 0 in its dtype, absorbed, rounded away or thrown away",
    specificity=6,
)


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operand = _endangered(record, birth)
        if operand is None:
            continue
        for guard in guards_before(record, operand):
            fault = fault_of(guard)
            if fault is not None:
                yield _finding(record, birth, guard, fault)
                break
        else:
            unused = _thrown_away(record, birth, operand)
            if unused is not None:
                yield _finding(record, birth, unused, f"the result of `{unused.operation.base}` is never used")


def _endangered(record: Record, birth: Birth) -> Operand | None:
    """What the guard should have kept off zero: a denominator, or a function's argument."""
    divided = divisor(birth.operation)
    if divided is not None and (birth.operation.phase != "backward" or not birth.operation.forward):
        return divided
    function = subject(record, birth)
    return divisor(function) or (function.inputs[0] if function.inputs else None)


def _thrown_away(record: Record, birth: Birth, operand: Operand) -> Guard | None:
    """A clamp of the very operand whose result nobody reads."""
    function = subject(record, birth)
    for use in record.consumers(operand.producer) if operand.producer else ():
        if use.id >= function.id or use.base not in ("clamp", "clamp_min") or use.operator.split(".")[1].endswith("_"):
            continue
        guard = next(guards_of(use), None)
        if guard is not None and not record.consumers(use.id):
            return guard
    return None


def _finding(record: Record, birth: Birth, guard: Guard, fault: str) -> Finding:
    dtype = guard.operation.output.dtype if guard.operation.output else "float32"
    limits = format_of(dtype)
    finding = birth_finding(
        RULE,
        birth,
        f"The {_word(guard)} {guard.epsilon!r} before `{subject(record, birth).base}` guards nothing, since {fault}: "
        f"{made(birth)} results.",
        evidence=[
            Evidence(_word(guard), guard.epsilon),
            Evidence(f"smallest number {dtype} holds", limits.smallest_subnormal),
            Evidence(f"spacing of {dtype} at 1", limits.epsilon),
            *_line(guard.operation),
        ],
        fixes=[
            Fix("choose it by the dtype", "eps = torch.finfo(x.dtype).eps  # beside 1; finfo.tiny beside 0"),
            Fix("compute in float32", "f(x.float()).to(x.dtype)"),
        ],
    )
    return _placed_at_optimizer(record, finding) if birth.operation.phase == "optimizer" else finding


def _word(guard: Guard) -> str:
    return "upper bound" if guard.upper else "constant" if guard.epsilon >= 1 else "epsilon"


def _line(operation: Operation) -> list[Evidence]:
    return [Evidence("line of the epsilon", operation.site.line)] if operation.site else []


def _placed_at_optimizer(record: Record, finding: Finding) -> Finding:
    """The same finding at the line that made the optimizer: its epsilon is chosen there."""
    site = next((event.site for event in record.events("optimizer") if event.site), None)
    if site is None:
        return finding
    where = Location(
        file=site.file,
        line=site.line,
        function=site.function or None,
        operator=finding.where.operator,
        phase=finding.where.phase,
    )
    return RULE.finding(
        where,
        finding.message,
        step=finding.step,
        evidence=finding.evidence,
        fixes=[Fix("keep the weights in float32", "torch.autocast / float32 master weights"), *finding.fixes],
        operations=finding.operations,
    )
