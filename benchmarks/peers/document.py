"""Answers to Markdown: the generated part of the comparison, between two markers; what stands around it is by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.adapters import PEERS, adapter
from benchmarks.peers.judging import Judgement, judge
from benchmarks.peers.labels import Label
from benchmarks.peers.messages import Answer, answer_from_json

BEGIN = "<!-- written by `python -m benchmarks.peers`; do not edit by hand -->"
END = "<!-- end of what is written by the script -->"

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One program under one peer."""

    label: Label
    answer: Answer
    judgement: Judgement


def rows_of(peer: str, labels: Sequence[Label], results: Results) -> list[Row]:
    programs = results.get(peer, {}).get("programs", {})
    rows = []
    for label in labels:
        if label.file in programs:
            answer = answer_from_json(programs[label.file])
            strict = getattr(adapter(peer), "STRICT", False)
            rows.append(Row(label, answer, judge(label, answer, adapter(peer).CAUSES, strict=strict)))
    return rows


def update(document: Path, labels: Sequence[Label], results: Results) -> None:
    """Write the generated part of `document` anew; raises ValueError where its markers are missing."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} lacks the lines {BEGIN!r} and {END!r} between which the tables go")
    document.write_text(before + BEGIN + "\n\n" + "\n".join(generated(labels, results)) + "\n\n" + END + after)


def generated(labels: Sequence[Label], results: Results) -> Iterator[str]:
    rows = {peer: rows_of(peer, labels, results) for peer in PEERS if peer in results}
    yield from _peers(rows, results)
    yield ""
    yield from _summary(labels, rows)
    yield ""
    yield from _programs(labels, rows)
    yield ""
    yield from _alarms(rows)
    yield ""
    yield from _words(rows)


def _peers(rows: Mapping[str, Sequence[Row]], results: Results) -> Iterator[str]:
    yield "## The peers"
    yield from _head("peer", "version", "how it was put to work")
    for peer in rows:
        yield _line(adapter(peer).NAME, results[peer]["version"], adapter(peer).HOW)


def _summary(labels: Sequence[Label], rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    faulty = sum(label.faulty for label in labels)
    sound = len(labels) - faulty
    yield "## In sum"
    yield f"Of {faulty} faulty programs, and of {sound} that are sound (their twins with the fix, and others):"
    yield ""
    yield from _head(
        "peer", "right cause", "and none beside it", "right line", "right module only", "some alarm", "silent",
        "of these: nothing to put it on", "false alarms",
    )  # fmt: skip
    for peer, some in rows.items():
        judged = [row for row in some if row.label.faulty]
        sums = [
            sum(row.judgement.cause for row in judged),
            sum(row.judgement.only for row in judged),
            sum(row.judgement.line for row in judged),
            sum(row.judgement.module and not row.judgement.line for row in judged),
            sum(row.judgement.alarm for row in judged),
            sum(row.judgement.silent for row in judged),
            sum(row.judgement.silent and not row.answer.attached for row in judged),
            sum(row.judgement.alarm for row in some if not row.label.faulty),
        ]
        missing = faulty + sound - len(some)
        yield _line(adapter(peer).NAME + (f" ({missing} programs not run yet)" if missing else ""), *sums)


def _programs(labels: Sequence[Label], rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield "## Program by program"
    yield "The best that each said of the faulty programs; · is silence, – nothing to put it on."
    yield ""
    yield from _head("program", "what happens", "cause", *(adapter(peer).NAME for peer in rows))
    cells = {(peer, row.label.file): _cell(row) for peer, some in rows.items() for row in some}
    for label in sorted((label for label in labels if label.faulty), key=lambda label: (label.cause, label.file)):
        yield _line(
            label.file.removesuffix(".py"), label.symptom, label.cause, *(cells.get((p, label.file), "") for p in rows)
        )


def _cell(row: Row) -> str:
    return row.judgement.word or ("·" if row.answer.attached else "–")


def _alarms(rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield "## False alarms"
    yield "Which of its messages each raised on sound programs, and on how many."
    yield ""
    yield from _head("peer", "programs", "messages")
    for peer, some in rows.items():
        loud = [row for row in some if not row.label.faulty and row.judgement.alarm]
        kinds = [kind for row in loud for kind in {m.kind for m in row.answer.messages if m.severity == "alarm"}]
        counted = sorted(((kinds.count(kind), kind) for kind in set(kinds)), key=lambda pair: (-pair[0], pair[1]))
        yield _line(adapter(peer).NAME, len(loud), ", ".join(f"`{kind}` {count}" for count, kind in counted) or "none")


def _words(rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield "## In their own words"
    yield "From the program on which each did best: its first right message, or else its first alarm, shortened."
    yield ""
    order = ("cause, line", "cause", "line", "module", "alarm")
    for peer, some in rows.items():
        telling = [row for row in some if row.label.faulty and row.judgement.word]
        if telling:
            best = min(telling, key=lambda row: (order.index(row.judgement.word), row.label.cause, row.label.file))
            yield f"- {adapter(peer).NAME}, {best.label.file.removesuffix('.py')}: “{_telling(peer, best)}”"


def _telling(peer: str, row: Row) -> str:
    causes = adapter(peer).CAUSES
    right = [m for m in row.answer.messages if row.label.causes.intersection(causes.get(m.kind, ()))]
    loud = [m for m in row.answer.messages if m.severity == "alarm"]
    return (right or loud)[0].text.replace("\n", " ")


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield "|" + "---|" * len(names)


def _line(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
