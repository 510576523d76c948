"""What it costs to be observed: CPU time of the same programs under wellposed python and under other profilers.

    python benchmarks/interpreter.py            all programs, nine interleaved rounds
    python benchmarks/interpreter.py --quick    one short round, to see that it works

Each profiler runs the program in a process of its own, which takes its CPU time around the work itself, without the
start of the interpreter or the profiler's report. Rounds are interleaved; the minimum is taken, since other load only
adds to it.
Profilers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PROGRAMS = {
    "chain order": """
def work(n):
    d = [(i * 37) % 50 + 1 for i in range(n + 1)]
    m = [[0] * n for _ in range(n)]
    for length in range(2, n + 1):
        for i in range(n - length + 1):
            j = i + length - 1
            m[i][j] = min(m[i][k] + m[k + 1][j] + d[i] * d[k + 1] * d[j + 1] for k in range(i, j))
SIZE = 200
""",
    "Mandelbrot": """
def work(n):
    total = 0
    for row in range(n):
        for column in range(n):
            x, y, a, b = 0.0, 0.0, column / n * 3 - 2, row / n * 2 - 1
            for _ in range(100):
                x, y = x * x - y * y + a, 2 * x * y + b
                if x * x + y * y > 4:
                    break
                total += 1
    return total
SIZE = 300
""",
    "objects": """
class Particle:
    def __init__(self, x): self.x, self.v = x, 1.0
    def move(self, t): self.x += self.v * t
def work(n):
    particles = {i: Particle(float(i)) for i in range(100)}
    for step in range(n):
        particles[step % 100].move(0.1)
        if step % 10 == 0: particles[step % 100] = Particle(0.0)
SIZE = 1_500_000
""",
}
_TIMING = """
import sys, time
size = int(SIZE * float(sys.argv[1]))
began = time.process_time()
work(size)
with open(sys.argv[2], "w") as file: file.write(str(time.process_time() - began))
"""

Command = Callable[[str, str], "list[str] | None"]


def _module(name: str, *options: str) -> Command:
    def command(script: str, folder: str) -> list[str] | None:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            return None
        return [sys.executable, "-m", name, *(each.format(folder=folder) for each in options), script]

    return command


def _py_spy(script: str, folder: str) -> list[str] | None:
    if shutil.which("py-spy") is None:
        return None
    return ["py-spy", "record", "-r", "1000", "-o", f"{folder}/spy.svg", "--", sys.executable, script]


PROFILERS: dict[str, tuple[Command, str]] = {
    "none": (lambda script, folder: [sys.executable, script], ""),
    "wellposed, 1 kHz": (_module("wellposed", "python", "--quiet", "--rate", "1000"), "causes, lines, GIL wait"),
    "cProfile": (_module("cProfile", "-o", "{folder}/profile"), "functions"),
    "pyinstrument": (_module("pyinstrument", "-o", "{folder}/tree"), "call tree"),
    "scalene": (
        _module("scalene", "--cpu-only", "--cli", "--outfile", "{folder}/scalene"),
        "lines: Python, native, system",
    ),
    "line_profiler": (_module("kernprof", "-l", "-o", "{folder}/lines"), "lines of marked functions"),
    "py-spy, 1 kHz": (_py_spy, "lines, GIL held"),
}


def measure(profiler: str, script: Path, scale: float, folder: str) -> float | None:
    """CPU seconds of the work under `profiler`; None where it is not installed or does not run here."""
    command = PROFILERS[profiler][0](str(script), folder)
    if command is None:
        return None
    answer = Path(folder, "seconds")
    answer.unlink(missing_ok=True)
    if profiler == "line_profiler":
        marked = script.with_name("marked.py")
        marked.write_text(script.read_text().replace("def work", "@profile\ndef work"))
        command[-1] = str(marked)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*command, str(scale), str(answer)]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return float(answer.read_text()) if answer.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    quick = parser.parse_args().quick
    rounds, scale = (1, 0.5) if quick else (9, 1.0)
    print(f"{'program':<12} {'profiler':<18} {'CPU ms':>8} {'against none':>13}  what it attributes")
    for program, source in PROGRAMS.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "program.py")
            script.write_text(source + _TIMING)
            best: dict[str, float] = {}
            for _ in range(rounds):
                for profiler in PROFILERS:
                    seconds = measure(profiler, script, scale, folder)
                    if seconds is not None:
                        best[profiler] = min(seconds, best.get(profiler, seconds))
        for profiler, seconds in best.items():
            against = seconds / best["none"]
            print(f"{program:<12} {profiler:<18} {seconds * 1e3:>8.0f} {against:>12.2f}×  {PROFILERS[profiler][1]}")
    missing = [name for name in PROFILERS if name not in best]
    if missing:
        print(f"Not installed, or did not run: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
