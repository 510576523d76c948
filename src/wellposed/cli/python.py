"""``wellposed python``: runs a program as ``python`` would and tells what Python itself cost, cause by cause."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wellposed.capture.script import Outcome, ProgramNotFoundError, end_process, launcher_imports
from wellposed.cli.errors import UsageError
from wellposed.cli.program import Program, parse_program

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wellposed.interpreter import Costs

NAME = "python"
HELP = "run a program as python would, and say what Python itself costs in it"
DESCRIPTION = """\
Runs a script or module exactly as python would and samples, on each thread's own CPU time, what the interpreter is
doing. When it ends, the causes are printed on stderr with 95 % intervals: interpretation, dynamic typing, boxed
numbers, reference counting, garbage collection, calls, native work, and what could not be attributed; then the lines
that cost most, and for programs with threads how long each waited for the interpreter's lock (GIL). Standard output
and the exit code stay the program's. Needs 64-bit Linux; bytecode is seen on CPython 3.11 to 3.13."""
EPILOG = """\
examples:
  wellposed python simulate.py --steps 1000      what stands behind simulate.py belongs to it
  wellposed python -m package.simulate           as python -m
  wellposed python --json costs.json simulate.py everything that was found, as JSON
  wellposed python --rate 200 simulate.py        fewer samples for a long run

How to read it: a share of 40 % for boxed numbers means that 40 % of the CPU time goes where compiled code would
have nothing to do. It does not promise that compiling removes it."""

_LINES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "wellposed python [options] script.py [args…]\n       wellposed python [options] -m module [args…]"
    add = parser.add_argument
    add("--json", metavar="FILE", help="also write everything that was found as JSON")
    add(
        "--rate",
        metavar="N",
        default="1000",
        help="samples a second of CPU time and thread, 1 to 10000 (default: 1000)",
    )
    add("--quiet", action="store_true", help="print nothing of our own; for use with --json")
    add("--compile", action="store_true", help="script.py:function: compile it, check that results are equal, measure")
    add("-m", dest="module", nargs=argparse.REMAINDER, help="run a module, as python -m; the rest belongs to it")
    add("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def execute(args: argparse.Namespace) -> int:
    """Run, sample, tell; returns the exit code that the program ended with. Raises UsageError before it starts."""
    if args.compile:
        return _compile(args)
    program = _program(args)
    rate = _rate(args.rate)
    target = _writable(args.json)
    from wellposed.interpreter import Observation, SamplingError

    stderr, process = sys.stderr, os.getpid()
    observation = Observation(rate)
    try:
        costs = observation.__enter__()
    except SamplingError as error:
        raise UsageError(str(error)) from None
    try:
        outcome = program.run(lambda: None)
    except ProgramNotFoundError as error:
        observation.__exit__(None, None, None)
        raise UsageError(str(error)) from None
    if os.getpid() == process:
        with launcher_imports():
            observation.__exit__(None, None, None)
            _tell(costs, program, outcome, target)
            if not args.quiet:
                from rich.console import Console

                show(costs, Console(file=stderr))
    return end_process(outcome)


def _compile(args: argparse.Namespace) -> int:
    try:
        compiling = importlib.import_module("wellposed.cli.python_compile")
    except ModuleNotFoundError as error:
        if error.name != "wellposed.cli.python_compile":
            raise
        raise UsageError("this installation of wellposed has no part that compiles") from None
    return int(compiling.execute(args))


def _program(args: argparse.Namespace) -> Program:
    if args.module is not None and not args.module:
        raise UsageError("-m needs the name of a module: wellposed python -m package.module")
    if not (args.module or args.program):
        raise UsageError("there is no program to run; say: wellposed python script.py")
    return parse_program(args.module, args.program)


def _rate(text: str) -> float:
    from wellposed.interpreter.sampling import HIGHEST_RATE

    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= HIGHEST_RATE:
        raise UsageError(f"--rate is a number from 1 to {HIGHEST_RATE:.0f}, samples a second; not {text!r}")
    return rate


def _writable(name: str | None) -> Path | None:
    """Told before the program runs where its JSON could not be written at the end. Raises UsageError."""
    if name is None:
        return None
    path = Path(os.path.abspath(name))
    if path.is_dir():
        raise UsageError(f"cannot write {name}: it is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {name}: there is no folder {path.parent}")
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            if b"wellposed-python/" not in file.read(200):
                raise UsageError(f"{name} exists and holds no costs of ours; choose another name")
    return path


def _tell(costs: Costs, program: Program, outcome: Outcome, target: Path | None) -> None:
    if target is None:
        return
    ended = {"argv": list(program.argv), "exit_code": outcome.exit_code, "error": outcome.error}
    data = costs.to_json()
    target.write_text(json.dumps({"schema": data.pop("schema"), "program": ended, **data}, indent=1) + "\n", "utf-8")


def show(costs: Costs, console: Console) -> None:
    """Print the costs as tables: causes, lines, threads, and what to know before believing them."""
    from rich.text import Text

    from wellposed.interpreter.causes import MEANINGS
    from wellposed.interpreter.text import main_causes, remarks, summary

    console.print()
    console.print(Text(summary(costs), style="bold"))
    if not costs.samples:
        return
    table = _table("share", "95 % interval", "cause", "what it is")
    for each in costs.causes:
        table.add_row(f"{each.share:.0%}", f"{each.low:.0%} to {each.high:.0%}", each.name, MEANINGS[each.name])
    console.print(table)
    if costs.lines:
        lines = _table("share", "line", "code", "causes")
        for place in costs.lines[:_LINES]:
            where = f"{os.path.basename(place.file)}:{place.line}"
            lines.add_row(f"{place.share.share:.0%}", Text(where), Text(place.source[:60]), Text(main_causes(place)))
        console.print(lines)
    for remark in remarks(costs):
        console.print(Text(remark))


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column == "share" else "left", overflow="fold")
    return table
