"""``wellposed run --as FORMAT``: what would become of the run in another format, and the run again to check it."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from wellposed.cli.errors import UsageError

if TYPE_CHECKING:
    from wellposed.advice.fit_model import Fit
    from wellposed.advice.fit_outcome import ScriptCheck, ScriptRun
    from wellposed.integrations.fit_script import Rounding
    from wellposed.record import Record


@dataclass(frozen=True, slots=True)
class FitAnswer:
    """What would become of the run in the format, and what came of running it again."""

    prediction: Fit
    check: ScriptCheck | None

    def json(self) -> dict[str, Any]:
        from wellposed.report.fit import fit_json

        return fit_json(self.prediction, self.check)

    def text(self, width: int, *, colour: bool = False) -> str:
        from wellposed.report.fit import fit_text

        return fit_text(self.prediction, self.check, width=width, colour=colour)

    def write(self, stream: TextIO) -> None:
        """To a stream, below the report, as that can bear."""
        from wellposed.report.terminal import in_colour, terminal_width, write

        write("\n" + self.text(terminal_width(stream), colour=in_colour(stream)), stream)


@dataclass(frozen=True, slots=True)
class FitQuestion:
    """What the command line asks about other formats."""

    format: str | None
    """The format to predict for; None where nobody asks."""
    check: bool
    rounding: Rounding | None
    """What this process is to round: it is the second run of a check."""

    def begin(self, folder: str) -> None:
        """Before the program starts, and before its recording."""
        if self.rounding is not None:
            from wellposed.integrations.fit_script import round_program

            round_program(self.rounding, folder)

    def answer(self, record: Record, argv: Sequence[str], folder: str) -> FitAnswer | None:
        """When the program has ended; None where nobody asks, or PyTorch never ran."""
        if self.format is None or "torch" not in sys.modules:
            return None
        from wellposed.advice.fit import fit

        prediction = fit(record, self.format)
        return FitAnswer(prediction, check_by_running(record, prediction, argv, folder) if self.check else None)


def add_fit_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    formats = "float16, bfloat16, float8_e4m3fn or float8_e5m2"
    add("--as", dest="format", metavar="FORMAT", help=f"also predict whether it would survive in {formats}")
    add("--check", action="store_true", help="with --as: run the program again, rounded so; it writes its files again")
    add("--rounded", help=argparse.SUPPRESS)


def parse_fit(args: argparse.Namespace) -> FitQuestion:
    """Raises UsageError for a format that cannot be asked about, or a check of none."""
    if args.check and args.format is None:
        raise UsageError("--check needs a format to check: wellposed run --as float16 --check train.py")
    if args.format is None and args.rounded is None:
        return FitQuestion(None, False, None)  # nothing is loaded that nobody asked for
    from wellposed.advice.formats import target_of
    from wellposed.integrations.fit_script import Rounding

    try:
        dtype = None if args.format is None else target_of(args.format).name
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        rounding = None if args.rounded is None else Rounding.of(args.rounded)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--rounded is for wellposed run --check itself ({error})") from None
    return FitQuestion(dtype, bool(args.check), rounding)


def check_by_running(record: Record, prediction: Fit, argv: Sequence[str], folder: str) -> ScriptCheck:
    """Run the program again in processes of its own, without output, from the same folder: rounded as proposed, and
    where something is proposed, without that as well. What it writes to files it writes again."""
    from wellposed.advice.fit_outcome import ScriptCheck
    from wellposed.integrations.fit_script import Rounding

    keep = tuple(each.module for each in prediction.keep)
    scale = prediction.scale.scale if prediction.scale is not None and prediction.scale.needed else 1.0
    bare = Rounding(prediction.target.name, (), 1.0)
    proposed = Rounding(prediction.target.name, keep, scale)
    plain = _run_again(record, bare, argv, folder) if proposed != bare else None
    return ScriptCheck(plain, _run_again(record, proposed, argv, folder))


def _run_again(record: Record, rounding: Rounding, argv: Sequence[str], folder: str) -> ScriptRun:
    import subprocess
    import tempfile

    from wellposed.advice.fit_outcome import ScriptRun
    from wellposed.record import Record

    with tempfile.TemporaryDirectory(prefix="wellposed-") as place:
        path = Path(place) / "again.wellposed"
        options = ["--quiet", "--rounded", rounding.text(), "-o", str(path)]
        ended = subprocess.run(
            [sys.executable, "-m", "wellposed", "run", *options, *argv],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, errors="replace",
        )  # fmt: skip
        error = ""
        if ended.returncode != (record.program.exit_code or 0):
            lines = ended.stderr.strip().splitlines()
            error = f"it ended with {ended.returncode}: {lines[-1][:200] if lines else 'no output'}"
        if not path.exists():
            return ScriptRun(rounding.keep, rounding.scale, error or "no record was made", 0, None, 0.0, None, 0.0, 0.0)
        with Record(path) as again:
            return _compare(record, again, rounding, error)


def _compare(record: Record, again: Record, rounding: Rounding, error: str) -> ScriptRun:
    from wellposed.advice.fit_outcome import ScriptRun

    reference = {each.id: each.loss for each in record.steps() if each.loss is not None}
    here = {each.id: each.loss for each in again.steps() if each.loss is not None}
    both = sorted(reference.keys() & here.keys())
    largest, at = 0.0, None
    broken = None
    for step in both:
        if not math.isfinite(reference[step]):
            continue
        if not math.isfinite(here[step]):
            broken = step
            break
        difference = abs(here[step] - reference[step]) / max(abs(reference[step]), 1e-30)
        if at is None or difference > largest:
            largest, at = difference, step
    last, reference_last = (here[both[-1]], reference[both[-1]]) if both else (math.nan, math.nan)
    return ScriptRun(rounding.keep, rounding.scale, error, len(both), broken, largest, at, last, reference_last)
