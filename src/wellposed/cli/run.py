"""``wellposed run``: runs a program as ``python`` would, records it, and says where its numbers break."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from wellposed.capture.recording import Options, Progress, Recording
from wellposed.capture.script import Outcome, ProgramNotFoundError, end_process, launcher_imports
from wellposed.cli.errors import UsageError
from wellposed.cli.fit import FitQuestion, add_fit_arguments, parse_fit
from wellposed.cli.live import LiveLine
from wellposed.cli.program import Program, parse_program, parse_steps, rank_of_this_process, record_path
from wellposed.settings import Settings, load_settings, parse_budget, parse_fail_on, parse_size

if TYPE_CHECKING:
    from wellposed.diagnosis import Diagnosis
    from wellposed.record import Record

NAME = "run"
HELP = "run a program as python would, record it, and say where its numbers break"
DESCRIPTION = """\
Runs a script or module exactly as python would, without a change to it, and records what its numbers do. When it
ends, the diagnosis is printed on stderr: the operator, the line, the value that did it, what followed, what to
write instead. Standard output and the exit code stay the program's."""
EPILOG = """\
examples:
  wellposed run train.py --epochs 3             what stands behind train.py belongs to train.py
  wellposed run -m package.train --epochs 3     as python -m
  wellposed run --html report.html train.py     with the report as one page
  wellposed run --steps 100-120 train.py        record these steps in full, however long it takes
  wellposed run --budget none train.py          record every step in full
  wellposed run --fail-on warning train.py      in CI: exit code 1 when something is found
  wellposed run --as float16 --check train.py   would it survive in float16, and what would it take?
  torchrun --nproc-per-node 2 -m wellposed run train.py     each rank writes a record of its own;
  wellposed report train.rank*.wellposed                    report tells them as one run

Settings of a project stand in pyproject.toml:
  [tool.wellposed]
  budget = "25%"
  max-size = "500MB"
  fail-on = "error"
  disable = ["name-of-a-rule"]"""


SHADOW_SECONDS = 4.0
"""Time that operators may run beside a shadow of higher precision before the program's own time counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "wellposed run [options] script.py [args…]\n       wellposed run [options] -m module [args…]"
    add = parser.add_argument
    add("-o", "--output", metavar="FILE", help="where the record goes (default: SCRIPT.wellposed in this folder)")
    add("--json", metavar="FILE", help="also write the diagnosis as JSON")
    add("--html", metavar="FILE", help="also write the report as one page that needs no network")
    add("--force", action="store_true", help="overwrite files that are no records or reports of this program")
    add("--budget", metavar="25%", help="time that recording may add, or none for no limit (default: 25%%)")
    add("--max-size", metavar="500MB", help="size that the record may reach, or none (default: 500MB)")
    add("--steps", metavar="A-B", help="record these steps (from 0) in full, whatever the budget says")
    add("--fail-on", metavar="SEVERITY", help="error or warning: end with 1 when a finding is as severe or more")
    add_fit_arguments(parser)
    add("--quiet", action="store_true", help="print nothing of our own while and after the program runs")
    add("-m", dest="module", nargs=argparse.REMAINDER, help="run a module, as python -m; the rest belongs to it")
    add("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything that was asked for, checked before the program starts, paths absolute."""

    program: Program
    settings: Settings
    record: Path
    json: Path | None
    html: Path | None
    steps: tuple[int, int] | None
    fit: FitQuestion
    rank: tuple[int, int] | None
    force: bool
    quiet: bool
    stderr: TextIO
    cwd: str
    """Where the user's shell is, whatever the program does."""

    def shown(self, path: Path) -> str:
        """The path as the user would type it."""
        relative = os.path.relpath(path, self.cwd)
        return str(path) if relative.startswith(os.pardir) else relative


def execute(args: argparse.Namespace) -> int:
    """Run, record, tell; returns the exit code that the program ended with, or 1 where --fail-on asks for it.

    Raises UsageError and SettingsError before the program starts, KeyboardInterrupt where it ended by one.
    """
    plan = _plan(args)
    line = LiveLine(plan.stderr) if _is_live(plan) else None
    recording = _open(plan, line)
    process = os.getpid()
    plan.fit.begin(str(plan.program.folder))
    recording.start()
    compiler = recording.instrument_numpy()
    try:
        outcome = plan.program.run(line.clear if line else lambda: None, compiler)
    except ProgramNotFoundError as error:
        recording.stop(2, str(error))
        plan.record.unlink(missing_ok=True)
        raise UsageError(str(error)) from None
    # A child that the program forked, and that ran to the end of the script, has no record to tell.
    if os.getpid() == process:
        with launcher_imports():
            outcome = _finish(plan, recording, outcome)
    return end_process(outcome)


# --- before ---------------------------------------------------------------------------------------------------


def _plan(args: argparse.Namespace) -> _Plan:
    program = parse_program(args.module, args.program)
    settings = _settings(args, program)
    rank = rank_of_this_process()
    plan = _Plan(
        program=program,
        settings=settings,
        record=record_path(program, args.output, rank[0] if rank else None),
        json=_absolute(args.json),
        html=_absolute(args.html),
        steps=parse_steps(args.steps),
        fit=parse_fit(args),
        rank=rank,
        force=args.force,
        quiet=args.quiet,
        stderr=sys.stderr,
        cwd=os.getcwd(),
    )
    for path in (plan.record, plan.json, plan.html):
        _require_writable(path, plan)
    return plan


def _settings(args: argparse.Namespace, program: Program) -> Settings:
    settings = load_settings(program.folder)
    if args.budget is not None:
        settings = replace(settings, budget=parse_budget(args.budget))
    if args.max_size is not None:
        settings = replace(settings, max_size=parse_size(args.max_size))
    if args.fail_on is not None:
        settings = replace(settings, fail_on=parse_fail_on(args.fail_on))
    if settings.disabled:
        from wellposed.findings import find_rule

        # A misspelt rule is told now, not after hours of training.
        settings = replace(settings, disabled=tuple(find_rule(name).rule.name for name in settings.disabled))
    return settings


def _absolute(path: str | None) -> Path | None:
    return Path(os.path.abspath(path)) if path is not None else None


def _require_writable(path: Path | None, plan: _Plan) -> None:
    """What cannot be written at the end is told at the beginning. Raises UsageError."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    if not plan.program.is_module and path == Path(os.path.abspath(plan.program.name)):
        raise UsageError(f"cannot write {path}: it is the program itself")
    if path == plan.record or plan.force or not path.exists():
        return
    with path.open("rb") as file:
        start = file.read(4096)
    if start and b"wellposed" not in start:
        raise UsageError(f"{path} exists and is no report of ours; choose another name, or --force")


def _is_live(plan: _Plan) -> bool:
    return not plan.quiet and plan.rank is None and plan.stderr.isatty()


def _open(plan: _Plan, line: LiveLine | None) -> Recording:
    settings, asked = plan.settings, plan.fit.format is not None
    options = Options(
        settings.budget, settings.max_size, plan.steps, counts_exponents=asked, shadow_seconds=SHADOW_SECONDS
    )
    program = plan.program
    meta = {"argv": program.argv, "script": program.identity, "folder": str(program.folder)}

    def show(progress: Progress) -> None:
        assert line is not None
        line.update(progress.step, progress.loss, progress.troubles, progress.overhead)

    try:
        return Recording(plan.record, options, meta, show if line else None, force=plan.force)
    except FileExistsError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"cannot write {plan.record}: {getattr(error, 'strerror', None) or error}") from None


# --- after ----------------------------------------------------------------------------------------------------


def _finish(plan: _Plan, recording: Recording, outcome: Outcome) -> Outcome:
    """Close the record and tell it; whatever fails in here is one sentence, never the program's result."""
    with _contained("the record could not be closed", plan):
        recording.stop(outcome.exit_code, outcome.error)
    if plan.rank is not None:
        with _contained("the records could not be named", plan):
            _name_records(plan)
    diagnosis: Diagnosis | None = None
    with _contained("the report could not be made", plan):
        from wellposed.diagnosis import diagnose
        from wellposed.record import Record

        path = plan.shown(plan.record) if os.getcwd() == plan.cwd else plan.record
        with Record(path) as record:
            diagnosis = diagnose(record, disabled=plan.settings.disabled)
            if plan.rank is None:
                _tell(plan, record, diagnosis)
    if outcome == Outcome(0) and _fails(diagnosis, plan.settings.fail_on):
        return Outcome(1)
    return outcome


def _tell(plan: _Plan, record: Record, diagnosis: Diagnosis) -> None:
    runs = [(record, diagnosis)]
    fit = None
    with _contained(f"what would become of it in {plan.fit.format} could not be told", plan):
        fit = plan.fit.answer(record, plan.program.argv, plan.cwd)
    if plan.json is not None:
        with _contained(f"{plan.json} could not be written", plan):
            from wellposed.report import to_json_text

            plan.json.write_text(to_json_text(runs, {"fit": fit.json()} if fit else {}), encoding="utf-8")
    if plan.html is not None:
        with _contained(f"{plan.html} could not be written", plan):
            from wellposed.report.html import to_html

            plan.html.write_text(to_html(runs, fit=fit.text(100) if fit else ""), encoding="utf-8")
    if plan.quiet or plan.stderr.closed:
        return
    if "torch" not in sys.modules and "numpy" not in record.program.versions:
        plan.stderr.write("wellposed: the program never imported torch or numpy; there is nothing to diagnose\n")
        return
    from wellposed.report.terminal import print_report

    print_report(runs, plan.stderr)
    if fit is not None:
        fit.write(plan.stderr)


def _name_records(plan: _Plan) -> None:
    """The first rank says how to read all of them as one run."""
    assert plan.rank is not None
    rank, world = plan.rank
    if rank != 0 or plan.quiet:
        return
    pattern = re.sub(r"\.rank0\.wellposed$", ".rank{}.wellposed", plan.shown(plan.record))
    names = " ".join(pattern.format(each) for each in range(world)) if world <= 8 else pattern.format("*")
    form = f"--format html -o {plan.shown(plan.html)} " if plan.html else ""
    form = f"--format json -o {plan.shown(plan.json)} " if plan.json and not plan.html else form
    plan.stderr.write(f"wellposed: {world} ranks, a record each; as one run: wellposed report {form}{names}\n")


def _fails(diagnosis: Diagnosis | None, fail_on: str | None) -> bool:
    if diagnosis is None or fail_on is None:
        return False
    from wellposed.findings import SEVERITIES

    severe = SEVERITIES[: [*SEVERITIES].index(fail_on) + 1]  # type: ignore[arg-type]
    return any(finding.severity in severe for finding in diagnosis.findings)


@contextlib.contextmanager
def _contained(what: str, plan: _Plan) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if os.environ.get("WELLPOSED_DEBUG"):
            raise
        with contextlib.suppress(Exception):
            kind = type(error).__name__
            plan.stderr.write(f"wellposed: {what} ({kind}: {error}); the record is {plan.shown(plan.record)}\n")
