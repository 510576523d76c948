"""The page's table of operations: compact rows, those around trouble kept first where there are too many."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from wellposed.findings import Finding
from wellposed.record import Operation, Record
from wellposed.report.text import plain

MOST_ROWS = 1_800
_AROUND = 150
"""Operations kept on either side of one that a finding rests on."""
_MOST_NONFINITE = 500

COLUMNS = (
    "operation", "step", "phase", "operator", "where", "module", "shape", "type", "min", "max", "rms", "NaN", "inf",
    "µs",
)  # fmt: skip


def operations_table(record: Record, findings: Sequence[Finding], most: int = MOST_ROWS) -> dict[str, Any]:
    """Columns, rows and the words that rows refer to by number. Raises RecordError where the record is damaged."""
    total = record.recorded_operations()
    words: dict[str, int] = {}
    rows = [_row(operation, words) for operation in chosen(record, findings, total, most)]
    troubled = sorted({each for finding in findings for each in finding.operations})
    return {"columns": COLUMNS, "rows": rows, "words": list(words), "total": total, "troubled": troubled}


def chosen(record: Record, findings: Sequence[Finding], total: int, most: int = MOST_ROWS) -> list[Operation]:
    """Up to `most` operations in order: those around trouble, those that made non-finite values, then the first."""
    if total <= most:
        return list(record.operations())
    kept: dict[int, Operation] = {}
    for operation in _by_interest(record, findings):
        kept.setdefault(operation.id, operation)
        if len(kept) >= most:
            break
    return [kept[number] for number in sorted(kept)]


def _by_interest(record: Record, findings: Sequence[Finding]) -> Iterator[Operation]:
    for finding in findings:
        for number in finding.operations[:3]:
            yield from record.operations(first=number - _AROUND, last=number + _AROUND)
    yield from itertools.islice(record.operations(nonfinite=True), _MOST_NONFINITE)
    yield from record.operations()


def _row(operation: Operation, words: dict[str, int]) -> list[Any]:
    output = operation.output
    statistics = output.statistics if output else None
    site = operation.site
    where = f"{plain(site.file, 120)}:{site.line}" if site else ""
    shape = "×".join(map(str, output.shape)) if output and output.shape else ("scalar" if output else "")
    texts = (operation.phase, plain(operation.operator, 120), where, plain(operation.module, 160), shape)
    numbers = (
        (statistics.minimum, statistics.maximum, statistics.root_mean_square, statistics.nan, statistics.infinite)
        if statistics
        else (None,) * 5
    )
    return [
        operation.id,
        operation.step,
        *_numbered((*texts, plain(output.dtype, 40) if output else ""), words),
        *(_short(number) for number in numbers),
        _short(operation.seconds * 1e6),
    ]


def _numbered(texts: Iterable[str], words: dict[str, int]) -> list[int]:
    """Each distinct text is sent once."""
    return [words.setdefault(text, len(words)) for text in texts]


def _short(value: float | int | None) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.4g}") if math.isfinite(value) else None
