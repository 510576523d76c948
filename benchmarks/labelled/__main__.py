"""Scores wellposed on labelled programs: the right cause, the right line, and alarms on programs that are well.

    python -m benchmarks.labelled [FOLDER ...] [--only GLOB] [--records DIR]

Without folders those beside this file: `a` and `b`, which rules were written with at hand, and later ones, whose first
score was taken before anybody looked at them (docs/diagnosis.md). A folder holds programs and a ``labels.csv`` with the
columns file, kind (faulty, control or healthy), cause, culprit_line, also_plausible, also_lines. Each program is
recorded in a process of its own, forked from one that has imported PyTorch; with `--records` a record that is there
already is asked again instead of running the program. Exit status 0, or 2 where a folder has no labels.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from wellposed.cli import main as wellposed
from wellposed.diagnosis import Diagnosis, diagnose
from wellposed.record import Record

HERE = Path(__file__).resolve().parent


def words(cell: str | None) -> list[str]:
    return [part.strip() for part in (cell or "").replace(",", ";").split(";") if part.strip()]


def recorded(program: Path, record: Path) -> None:
    """Run the program under a recording in a child process; what it prints is dropped."""
    if record.exists():
        return
    if "torch" not in program.read_text("utf-8"):
        # A process that has imported PyTorch is none of a NumPy program's.
        command = [sys.executable, "-m", "wellposed", "run", "--quiet", "--force", "-o", str(record), program.name]
        subprocess.run(command, cwd=program.parent, capture_output=True, check=False)
        return
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(program.parent)
        try:
            wellposed(["run", "--force", "-o", str(record), program.name])
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def judged(label: dict[str, str], told: Diagnosis) -> tuple[bool, bool | None]:
    """Whether the cause is right (for a program that is well: no alarm), and the line; None where none is labelled."""
    if label["kind"] != "faulty":
        return told.verdict == "healthy", None
    accepted = {label["cause"], *words(label.get("also_plausible"))}
    wanted = [int(line) for line in words(label.get("culprit_line")) + words(label.get("also_lines"))]
    lines = [root.where.line for root in told.roots if root.cause in accepted and root.where.line is not None]
    near = any(abs(line - each) <= 1 for line in lines for each in wanted)
    return told.verdict in accepted, near if wanted else None


def score(folder: Path, pattern: str, records: Path) -> None:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        labels = [row for row in csv.DictReader(stream) if fnmatch.fnmatch(row["file"], pattern)]
    for label in labels:
        record = records / f"{folder.name}-{Path(label['file']).stem}.wellposed"
        recorded(folder / label["file"], record)
        with Record(record) as opened:
            told = diagnose(opened)
        cause, line = judged(label, told)
        group = label["cause"] if label["kind"] == "faulty" else "well"
        counts[group] = [a + b for a, b in zip(counts[group], (1, cause, bool(line)), strict=True)]
        if not cause or line is False:
            print(
                f"  {folder.name}/{label['file']}: {label['cause']}; said {told.verdict}{'' if cause else ' (wrong)'}"
            )
    print(f"\n{folder.name:28} {'programs':>8} {'right cause':>12} {'right line':>11}")
    for group, row in sorted(counts.items()):
        print(f"{group:28} {row[0]:8} {row[1]:12} {row[2]:11}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[HERE / name for name in "abc"])
    parser.add_argument("--only", default="*", help="programs whose file name matches")
    parser.add_argument("--records", type=Path, help="where records are kept (default: a temporary folder)")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        records = (chosen.records or Path(temporary)).resolve()
        records.mkdir(parents=True, exist_ok=True)
        for folder in chosen.folders:
            if not (folder / "labels.csv").is_file():
                print(f"there is no labels.csv in {folder}", file=sys.stderr)
                return 2
            score(folder.resolve(), chosen.only, records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
