"""``wellposed digits``: runs a program beside itself in higher precision and says where its digits go."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wellposed.capture.recording import Options, Recording
from wellposed.capture.script import ProgramNotFoundError, end_process, launcher_imports
from wellposed.cli.errors import UsageError
from wellposed.cli.program import Program, parse_program, parse_steps

if TYPE_CHECKING:
    from wellposed.shadow.result import DigitsReport

NAME = "digits"
HELP = "run a program beside itself in higher precision, and say where its digits go"
DESCRIPTION = """\
Runs a script or module as python would, and each of its operators a second time in higher precision, on values that are
carried along from the start. When it ends, the report on stderr names the lines that lose digits, how many they leave,
and what to write instead. The program's own results are bit for bit what they are without us.

Outputs, whose digits are told, are the losses that backward() is called on and the numbers that leave tensors for
Python: what is printed, compared or kept."""
EPILOG = """\
examples:
  wellposed digits train.py --epochs 1     the first steps of a training
  wellposed digits analysis.py             a program without steps is looked at whole
  wellposed digits --steps 500 train.py    step 500 (from 0) instead of the first
  wellposed digits --json digits.json train.py
  wellposed digits --least 2 train.py      in CI: exit code 1 where an output has fewer than 2 digits left

In Python: wellposed.digits(function, *arguments), or a block: with wellposed.digits() as d."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "wellposed digits [options] script.py [args…]\n       wellposed digits [options] -m module [args…]"
    add = parser.add_argument
    add("--steps", metavar="A-B", help="the optimizer steps (from 0) to look at (default: the first three)")
    add("--seconds", metavar="N", default="60", help="the longest that the second run may take (default: %(default)s)")
    add("--least", metavar="DIGITS", help="end with 1 where an output has fewer digits left")
    add("--json", metavar="FILE", help="also write the report as JSON")
    add("--all", action="store_true", help="every operator in the table, not the first twelve")
    add("--quiet", action="store_true", help="print no report")
    add("-m", dest="module", nargs=argparse.REMAINDER, help="run a module, as python -m; the rest belongs to it")
    add("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def execute(args: argparse.Namespace) -> int:
    """Run, measure, tell; returns the program's exit code, or 1 where --least asks for it.

    Raises UsageError before the program starts, KeyboardInterrupt where it ended by one.
    """
    program = parse_program(args.module, args.program)
    seconds, least = _number("--seconds", args.seconds), _number("--least", args.least)
    options = Options(
        budget=0.0,
        full_steps=parse_steps(args.steps),
        grace_seconds=0.0,
        full_at_first=0 if args.steps else 3,
        watches_operators=False,
        shadow_seconds=seconds or 0.0,
        shadows_every_step=True,
    )
    json_file = Path(os.path.abspath(args.json)) if args.json else None
    if json_file is not None and not json_file.parent.is_dir():
        raise UsageError(f"cannot write {json_file}: there is no folder {json_file.parent}")
    stderr = sys.stderr
    with tempfile.TemporaryDirectory(prefix="wellposed-") as folder:
        path = Path(folder) / "digits.wellposed"
        meta = {"argv": program.argv, "script": program.identity, "folder": str(program.folder)}
        recording = Recording(path, options, meta)
        process = os.getpid()
        recording.start()
        compiler = recording.instrument_numpy()
        try:
            outcome = program.run(lambda: None, compiler)
        except ProgramNotFoundError as error:
            recording.stop(2, str(error))
            raise UsageError(str(error)) from None
        if os.getpid() != process:
            return end_process(outcome)
        with launcher_imports():
            recording.stop(outcome.exit_code, outcome.error)
            reports = _reports(path)
            step, report = _worst(reports) if reports else (0, None)
            if report is not None and json_file is not None:
                from wellposed.report.digits_json import digits_to_json_text

                json_file.write_text(digits_to_json_text(report), encoding="utf-8")
            if not args.quiet and not stderr.closed:
                _print(report, program, step, len(reports), args.all)
            short = report is not None and least is not None and _digits_left(report) < least
    code = end_process(outcome)
    return 1 if code == 0 and short else code


def _reports(path: Path) -> list[tuple[int, DigitsReport]]:
    from wellposed.record import Record
    from wellposed.shadow.contract import from_plain

    with Record(path) as record:
        return [(event.step, from_plain(event.details)) for event in record.events("digits")]


def _worst(reports: list[tuple[int, DigitsReport]]) -> tuple[int, DigitsReport]:
    """The step with culprits whose output has the fewest digits left; else the first."""
    return min(reports, key=lambda each: (not each[1].culprits, _digits_left(each[1])))


def _digits_left(report: DigitsReport) -> float:
    return min((each.digits.normwise for each in report.outputs), default=float("inf"))


def _print(report: DigitsReport | None, program: Program, step: int, steps: int, every: bool) -> None:
    from wellposed.report.digits import render_digits
    from wellposed.report.terminal import in_colour, terminal_width, write

    stream = sys.stderr
    if report is None:
        why = (
            "no number left a tensor and no loss was differentiated"
            if "torch" in sys.modules or "numpy" in sys.modules
            else "the program imported neither torch nor numpy"
        )
        stream.write(f"wellposed: there are no outputs whose digits could be told: {why}\n")
        return
    name = " ".join(program.argv[:2]) if program.is_module else program.name
    told = f"{name}, step {step} of {steps} looked at" if steps > 1 else name
    write(
        render_digits(report, program=told, every=every, width=terminal_width(stream), colour=in_colour(stream)), stream
    )


def _number(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise UsageError(f"{option} takes a number above 0; not {text!r}")
    return value
