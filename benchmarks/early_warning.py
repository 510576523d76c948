"""How long before the loss goes each early-warning signal warns, and how often it warns for nothing.

    OMP_NUM_THREADS=1 python benchmarks/early_warning.py [--budget 3] [--seconds 60] [--keep FOLDER]

Runs every program of benchmarks/unstable and benchmarks/healthy once under `wellposed.watch`, keeps what the signals
were fed with, and asks them afterwards: with their thresholds as they are, and as published where those are others.
With --keep the series are stored, and a second call with the same folder only asks again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import runpy
import signal as processes
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TIMES = 10.0
"""The loss is gone where it is not finite or this many times its running minimum …"""
FLOOR = 0.05
"""… which counts as at least this share of the first loss: what doubles at 1e-9 is not gone …"""
LASTS = 10
"""… and where the median of so many losses from there on is as bad: one odd batch is not the end."""

Series = dict[tuple[str, str], list[tuple[int, float]]]


# --- one program, in a process of its own -------------------------------------------------------------------------


class OutOfTime(Exception):
    pass


def record_one(program: Path, out: Path, budget: float | None, seconds: int) -> None:
    import wellposed
    from wellposed.signals import Panel

    fed: list[tuple[str, str, int, str]] = []
    see = Panel.see

    def listen(panel: Panel, quantity: str, step: int, value: float, where: str = "") -> Any:
        fed.append((quantity, where, step, repr(value)))
        return see(panel, quantity, step, value, where)

    def too_late(*_: Any) -> None:
        raise OutOfTime

    Panel.see = listen  # type: ignore[method-assign]
    processes.signal(processes.SIGALRM, too_late)
    processes.alarm(seconds)
    error = None
    folder = tempfile.mkdtemp()
    sys.argv = [str(program)]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            with wellposed.watch(
                path=Path(folder) / "w.wellposed", budget=budget, on_warning=lambda _: None
            ) as watched:
                runpy.run_path(str(program), run_name="__main__")
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"[:200]
    with watched.record as record:
        broken = [event.details for event in record.events("recorder-failed")]
        steps = len(record.steps())
    out.write_text(json.dumps({"fed": fed, "error": error, "broken": broken, "steps": steps}), "utf-8")


# --- asking the signals -------------------------------------------------------------------------------------------


def series_of(kept: Path) -> tuple[Series, dict[str, Any]]:
    data = json.loads(kept.read_text("utf-8"))
    found: Series = {}
    for quantity, where, step, value in data["fed"]:
        found.setdefault((quantity, where), []).append((step, float(value)))
    return found, data


def loss_gone(series: Series) -> int | None:
    """The step at which the loss is gone; None where it never is."""
    gone = []
    for (quantity, _), values in series.items():
        if quantity != "loss":
            continue
        lowest, first = math.inf, abs(values[0][1])
        for index, (step, value) in enumerate(values):
            limit = lowest + (TIMES - 1) * max(abs(lowest), FLOOR * first)
            following = [math.inf if math.isnan(each) else each for _, each in values[index : index + LASTS]]
            if not math.isfinite(value) or (value > limit and statistics.median(following) > limit):
                gone.append(step)
                break
            lowest = min(lowest, value)
    return min(gone, default=None)


def first_warning(quantity: str, detector: Callable[[], Any], series: Series) -> int | None:
    """The first step at which the detector crosses its threshold anywhere."""
    found = []
    for (name, _), values in series.items():
        if name == quantity:
            each = detector()
            found.append(next((step for step, value in values if each.see(value) is not None), None))
    return min((step for step in found if step is not None), default=None)


def candidates() -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Name, quantity and detector of every signal, and of thresholds that were published but are not used."""
    from wellposed.signals import SIGNALS
    from wellposed.signals.outlier import Outlier

    for each in SIGNALS:
        yield each.name, each.quantity, each.detector
    yield "ZClip: z-score > 2.5", "gradient_norm", _ZClip
    yield "Megatron: norm > 10 × the first 100", "gradient_norm", _Megatron
    yield "OLMo: norm > mean + 6 σ of 128", "gradient_norm", lambda: Outlier(6.0)
    yield "loss ≥ 2 × its minimum", "loss", _Twice
    yield "Adam's ratio ≥ 2.3", "adam_ratio", lambda: _Above(2.3)
    yield "update ratio outside [1e-4, 0.1]", "update_ratio", lambda: _Outside(1e-4, 0.1)
    yield "attention logit > 20", "attention_logit", lambda: _Above(20.0)
    yield "attention logit > 1,000", "attention_logit", lambda: _Above(1e3)
    yield "curvature beyond the edge, once", "curvature_over_edge", lambda: _Above(1.0)


class _ZClip:
    def __init__(self) -> None:
        from wellposed.signals.averages import Averages

        self.averages = Averages(0.97)

    def see(self, value: float) -> float | None:
        limit = self.averages.mean + 2.5 * self.averages.deviation
        crossed = self.averages.count >= 25 and value > limit
        self.averages.add(min(value, limit) if crossed else value)
        return value if crossed else None


class _Megatron:
    def __init__(self) -> None:
        self.highest, self.count = 0.0, 0

    def see(self, value: float) -> float | None:
        self.count += 1
        if self.count <= 100:
            self.highest = max(self.highest, value)
            return None
        return value if value > 10 * self.highest else None


class _Above:
    def __init__(self, limit: float):
        self.limit = limit

    def see(self, value: float) -> float | None:
        return value if value >= self.limit else None


class _Outside:
    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def see(self, value: float) -> float | None:
        return value if not self.low <= value <= self.high else None


class _Twice:
    def __init__(self) -> None:
        self.lowest = math.inf

    def see(self, value: float) -> float | None:
        crossed = value >= 2 * self.lowest > 0
        self.lowest = min(self.lowest, value)
        return value if crossed else None


def table(unstable: dict[str, Series], healthy: dict[str, Series]) -> Iterator[str]:
    from wellposed.signals import BY_NAME

    gone = {name: loss_gone(series) for name, series in unstable.items()}
    earliest: dict[str, int] = {}
    yield f"{sum(each is not None for each in gone.values())} of {len(gone)} programs lose their loss:"
    yield ", ".join(f"{name} (step {step})" for name, step in gone.items())
    yield ""
    yield "| signal | warned before | lead in steps: median (range) | at the loss or after | silent | false alarms |"
    yield "|---|---|---|---|---|---|"
    for name, quantity, detector in candidates():
        leads, late, silent = [], 0, 0
        for program, series in unstable.items():
            first, lost = first_warning(quantity, detector, series), gone[program]
            if lost is None:
                continue
            if first is None:
                silent += 1
            elif first < lost:
                leads.append(lost - first)
            else:
                late += 1
        alarms = [each for each, series in healthy.items() if first_warning(quantity, detector, series) is not None]
        fed = [each for each, series in healthy.items() if any(key[0] == quantity for key in series)]
        lead = f"{statistics.median(leads):g} ({min(leads)}–{max(leads)})" if leads else "–"
        yield f"| {name} | {len(leads)} | {lead} | {late} | {silent} | {len(alarms)} of {len(fed)} |"
        if name in BY_NAME:
            for program, series in [*unstable.items(), *healthy.items()]:
                step = first_warning(quantity, detector, series)
                if step is not None:
                    earliest[program] = min(step, earliest.get(program, step))
        if alarms:
            print(f"  {name}: {', '.join(alarms)}", file=sys.stderr)
    leads = [lost - earliest[each] for each, lost in gone.items() if lost is not None and each in earliest]
    before = [lead for lead in leads if lead > 0]
    alarms = [each for each in healthy if each in earliest]
    yield (
        f"| any of wellposed's | {len(before)} | {statistics.median(before or [0]):g} ({min(before, default=0)}–"
        f"{max(before, default=0)}) | {len(leads) - len(before)} | – | {len(alarms)} of {len(healthy)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="3", help="percent, or none (default: 3, that of watch)")
    parser.add_argument("--seconds", type=int, default=60, help="at most so many of each program")
    parser.add_argument("--keep", type=Path, help="folder for the series; those that are there are not made again")
    parser.add_argument("--only", choices=["unstable", "healthy"])
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    budget = None if options.budget == "none" else float(options.budget) / 100
    if options.one:
        record_one(*options.one, budget, options.seconds)
        return
    folder = options.keep or Path(tempfile.mkdtemp())
    groups: dict[str, dict[str, Series]] = {"unstable": {}, "healthy": {}}
    for group, found in groups.items():
        for program in sorted((HERE / group).glob("*.py")):
            kept = folder / group / f"{program.stem}.json"
            if not kept.exists() and options.only in (None, group):
                kept.parent.mkdir(parents=True, exist_ok=True)
                words = [
                    "--budget",
                    options.budget,
                    "--seconds",
                    str(options.seconds),
                    "--one",
                    str(program),
                    str(kept),
                ]
                subprocess.run([sys.executable, __file__, *words], check=False, timeout=options.seconds + 300)
            if kept.exists():
                found[program.stem], data = series_of(kept)
                if data["error"] or data["broken"]:
                    print(f"  {program.stem}: {data['error'] or data['broken']}", file=sys.stderr)
    print("\n".join(table(groups["unstable"], groups["healthy"])))


if __name__ == "__main__":
    main()
