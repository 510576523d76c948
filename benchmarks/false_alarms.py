"""False alarms: `wellposed run` over training programs that are well, where every verdict but "healthy" is wrong.

    python benchmarks/false_alarms.py [--only 'hf_*'] [--jobs 2] [--markdown docs/false-alarms.md]

Ends with 1 where a program was called unhealthy, or did not run.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellposed.record import Record, RecordError

PROGRAMS = Path(__file__).resolve().parent / "healthy"
BESIDE_PYTHON = Path(sys.executable).parent / "wellposed"
BEGIN, END = "<!-- the table of benchmarks/false_alarms.py -->", "<!-- end of the table -->"
SHARE_OF_STEPS = 20
"""The first and the last loss are medians over one in so many steps, for single batches are noisy."""
HEADINGS = ("program", "kind", "steps", "first loss", "last loss", "verdict", "advice", "seconds")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one program; `verdict` is "failed" where it, or wellposed, did not come to its end."""

    program: str
    kind: str
    verdict: str
    seconds: float
    steps: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    advice: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    """Rule, line and message of what is no advice, or why the program failed."""

    @property
    def has_failed(self) -> bool:
        return self.verdict == "failed"

    @property
    def is_alarm(self) -> bool:
        return self.verdict not in ("healthy", "failed")


def kind_of(program: Path) -> str:
    """What the program is, in its own words: the first line of its docstring."""
    return (ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or program.stem).splitlines()[0]


def judge(program: Path, wellposed: Path, timeout: float, kept: Path | None = None) -> Outcome:
    """Run the program under `wellposed run` in a folder of its own; record and report go to `kept`, or are deleted."""
    with tempfile.TemporaryDirectory(prefix="false-alarms-") as folder:
        record, report = ((kept or Path(folder)) / f"{program.stem}.{ending}" for ending in ("wellposed", "json"))
        command = [wellposed, "run", "--quiet", "--force", "-o", record, "--json", report, program]
        began = time.perf_counter()
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={"OMP_NUM_THREADS": "1", **os.environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return _failed(program, f"not done after {timeout:.0f} s", timeout)
        seconds = time.perf_counter() - began
        if done.returncode or not report.exists():
            last_line = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return _failed(program, last_line, seconds)
        try:
            losses = _losses(record)
        except RecordError as error:
            return _failed(program, str(error), seconds)
        return _outcome(program, json.loads(report.read_text(encoding="utf-8")), losses, seconds)


def _failed(program: Path, why: str, seconds: float) -> Outcome:
    return Outcome(program.stem, kind_of(program), "failed", seconds, alarms=(why,))


def _losses(record: Path) -> list[float]:
    """The loss of each step that has one, without the scale that a GradScaler gave it."""
    with Record(record) as opened:
        return [step.loss / (step.scale or 1.0) for step in opened.steps() if step.loss is not None]


def _outcome(program: Path, report: dict[str, Any], losses: Sequence[float], seconds: float) -> Outcome:
    findings = report["findings"]
    count = max(1, len(losses) // SHARE_OF_STEPS)
    return Outcome(
        program.stem,
        kind_of(program),
        report["verdict"],
        seconds,
        steps=report["run"]["steps"],
        first_loss=statistics.median(losses[:count]) if losses else None,
        last_loss=statistics.median(losses[-count:]) if losses else None,
        advice=tuple(each["rule"] for each in findings if each["role"] == "advice"),
        alarms=tuple(_told(each) for each in findings if each["role"] != "advice"),
    )


def _told(finding: dict[str, Any]) -> str:
    where = finding["where"]
    place = f"{where['file']}:{where['line']}" if where["line"] else where["module"] or "no place"
    return f"{finding['role']} {finding['rule']} at {place}, step {finding['step']}: {finding['message']}"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    advice = (rule if times == 1 else f"{rule} ×{times}" for rule, times in Counter(outcome.advice).items())
    return (
        outcome.program,
        outcome.kind,
        f"{outcome.steps}",
        _number(outcome.first_loss),
        _number(outcome.last_loss),
        outcome.verdict,
        ", ".join(advice) or "–",
        f"{outcome.seconds:.1f}",
    )


def _number(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.3g}"


def totals(outcomes: Sequence[Outcome]) -> str:
    failed = sum(each.has_failed for each in outcomes)
    alarms = sum(each.is_alarm for each in outcomes)
    advised = sum(bool(each.advice) for each in outcomes)
    return (
        f"{len(outcomes)} healthy program{'s' * (len(outcomes) != 1)}, {sum(each.steps for each in outcomes):,} steps: "
        f"{alarms} false alarm{'s' * (alarms != 1)}, advice given to {advised}"
        + (f"; {failed} failed, which says nothing of alarms." if failed else ".")
    )


def _alarms(outcomes: Iterable[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        for alarm in outcome.alarms:
            yield f"{outcome.program}: {alarm}"


def as_text(outcomes: Sequence[Outcome]) -> str:
    rows = [HEADINGS, *map(_cells, outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_alarms(outcomes), totals(outcomes)])


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    rows = [HEADINGS, ("---",) * len(HEADINGS)]
    for outcome in outcomes:
        name, *others = _cells(outcome)
        rows.append((f"[{name}](../benchmarks/healthy/{name}.py)", *others))
    table = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    told = [f"- {line}" for line in _alarms(outcomes)]
    return "\n".join([f"**{totals(outcomes)}**", "", *table, *([""] if told else []), *told])


def replace_table(page: str, table: str) -> str:
    """The page with the table between its two marks. Raises ValueError where it lacks them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page needs the lines '{BEGIN}' and '{END}', between which the table goes")
    return f"{before}{begin}\n{table}\n{end}{after}"


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="GLOB", help="programs of these names; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="programs that run at the same time (default: 1)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table between the marks of this page")
    parser.add_argument("--wellposed", type=Path, default=BESIDE_PYTHON, help=f"default: {BESIDE_PYTHON.name}, "
                        "beside this python")  # fmt: skip
    parser.add_argument("--timeout", type=float, default=300, help="seconds that a program may take (default: 300)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the records and reports in this folder")
    given = parser.parse_args(words)
    given.programs = [
        each
        for each in sorted(PROGRAMS.glob("*.py"))
        if any(fnmatch.fnmatch(each.stem, glob) for glob in given.only or ["*"])
    ]
    if not given.programs:
        parser.error(f"no program of {PROGRAMS} is called {' or '.join(given.only or ['*'])}")
    if given.markdown and given.only:
        parser.error("--markdown writes the table of all programs: leave --only out")
    if not given.wellposed.exists():
        parser.error(f"there is no {given.wellposed}: install wellposed for this python, or say --wellposed PATH")
    return given


def main() -> int:
    given = options()
    if given.keep:
        given.keep = given.keep.resolve()
        given.keep.mkdir(parents=True, exist_ok=True)
    outcomes = []
    with ThreadPoolExecutor(given.jobs) as pool:
        judged = pool.map(lambda program: judge(program, given.wellposed, given.timeout, given.keep), given.programs)
        for number, outcome in enumerate(judged, 1):
            outcomes.append(outcome)
            progress = f"[{number}/{len(given.programs)}] {outcome.program}: {outcome.verdict}, {outcome.seconds:.1f} s"
            print(progress, file=sys.stderr, flush=True)
    print(as_text(outcomes))
    failed = any(each.has_failed for each in outcomes)
    if given.markdown and failed:
        print(f"Programs failed: {given.markdown} stays as it is.", file=sys.stderr)
    elif given.markdown:
        page = replace_table(given.markdown.read_text(encoding="utf-8"), as_markdown(outcomes))
        given.markdown.write_text(page, encoding="utf-8")
    return int(failed or any(each.is_alarm for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
