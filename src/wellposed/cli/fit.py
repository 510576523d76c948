"""``wellposed run --as FORMAT``: what would become of the run in another format, and the run again to check it."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wellposed.advice.fit import fit
from wellposed.advice.fit_model import Fit
from wellposed.advice.fit_outcome import ScriptCheck, ScriptRun
from wellposed.advice.formats import target_of
from wellposed.cli.errors import UsageError
from wellposed.integrations.fit_script import Rounding
from wellposed.record import Record


def parse_format(name: str | None) -> str | None:
    """The name of a format. Raises UsageError for one that cannot be asked about."""
    if name is None:
        return None
    try:
        return target_of(name).name
    except ValueError as error:
        raise UsageError(str(error)) from None


def parse_rounding(text: str | None) -> Rounding | None:
    """What a check hands to the process that runs the program again. Raises UsageError where it is garbled."""
    if text is None:
        return None
    try:
        return Rounding.of(text)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--rounded is for wellposed run --check itself ({error})") from None


def predict(record: Record, dtype: str) -> Fit:
    """What would become of the recorded run in this format."""
    return fit(record, dtype)


def check_by_running(record: Record, prediction: Fit, argv: Sequence[str], folder: str) -> ScriptCheck:
    """Run the program again in processes of its own, without output, from the same folder: rounded as proposed, and
    where something is proposed, without that as well. What it writes to files it writes again."""
    keep = tuple(each.module for each in prediction.keep)
    scale = prediction.scale.scale if prediction.scale is not None and prediction.scale.needed else 1.0
    bare = Rounding(prediction.target.name, (), 1.0)
    proposed = Rounding(prediction.target.name, keep, scale)
    plain = _run_again(record, bare, argv, folder) if proposed != bare else None
    return ScriptCheck(plain, _run_again(record, proposed, argv, folder))


def _run_again(record: Record, rounding: Rounding, argv: Sequence[str], folder: str) -> ScriptRun:
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
