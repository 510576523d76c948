"""The first lines of a report: the program, what was watched of it, how it ended."""

from __future__ import annotations

from wellposed.report.merge import Facts
from wellposed.report.text import counted, duration, plain


def program(about: Facts) -> str:
    return plain(" ".join(about.argv), 1000) or "(unnamed program)"


def watched(about: Facts) -> str:
    """What was checked: steps, operators, time, overhead."""
    parts = [counted(about.steps, "step")]
    if about.recorded_steps < about.steps:
        parts[0] += f" ({about.recorded_steps:,} in full)"
    parts.append(f"{counted(about.operations, 'operator')} watched")
    if about.ranks:
        parts.append(counted(len(about.ranks), "rank"))
    if about.wall_seconds is not None:
        spent = "" if about.recording_seconds is None else f", {duration(about.recording_seconds)} of it recording"
        parts.append(f"{duration(about.wall_seconds)}{spent}")
    return ", ".join(parts[:-1]) + "; " + parts[-1] if about.wall_seconds is not None else ", ".join(parts)


def ending(about: Facts) -> str:
    """How the program ended, where not in peace, and what of it was not recorded; empty otherwise."""
    return " ".join(filter(None, (_end(about), *(plain(gap, 500) for gap in about.gaps))))


def _end(about: Facts) -> str:
    if about.error:
        return f"The program ended with {plain(about.error, 500)}"
    if about.exit_code is None:
        return "The program had not ended when this was recorded: it was still running, or was killed."
    return f"The program ended with exit code {about.exit_code}." if about.exit_code else ""
