"""Ties a finding to the findings that it follows from, by data flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from wellposed.findings import Finding
from wellposed.record import Record

_FURTHEST = 20_000


def led_from(record: Record, finding: Finding, roots: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of `roots` that one of the finding's operations was computed from; empty where data flow tells of none.

    A backward operation follows from its forward one as well: it works on what that one saved.
    """
    guilty = {each.operations[0]: each for each in roots if each.operations and each is not finding}
    if not guilty or not finding.operations:
        return ()
    found: list[Finding] = []
    start = finding.operations[0]
    seen = {start}
    waiting = deque([start])
    while waiting and len(seen) < _FURTHEST:
        operation = record.operation(waiting.popleft())
        if operation is None:
            continue
        before = [each.producer for each in operation.inputs if each.producer]
        if operation.forward:
            before.append(operation.forward)
        for each in before:
            if each not in seen:
                seen.add(each)
                waiting.append(each)
                if each in guilty:
                    found.append(guilty[each])
    return tuple(sorted(found, key=roots.index))
