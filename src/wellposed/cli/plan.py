"""``wellposed plan``: the best order for a product of several matrices, and what it saves."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wellposed.cli.chains import Given, chains, elements, gradients, minimize
from wellposed.cli.errors import UsageError

if TYPE_CHECKING:
    from wellposed.chain import Plan

NAME = "plan"
HELP = "find the best order for a product of several matrices, and what it saves"
DESCRIPTION = """\
Finds the best order for a product of several matrices. A @ B @ C gives the same in any order, and may cost ten times as
much in one as in another: Python multiplies from left to right whatever the shapes are."""
EPILOG = """\
examples:
  wellposed plan 50x5 5x100 100x10                 three matrices: A0·(A1·A2) takes a tenth of (A0·A1)·A2
  wellposed plan --dims 50,5,100,10                the same by its dimensions
  wellposed plan 2000x2000 2000x2000 2000          the last is a vector; 32x64x64 is a batch of 32 matrices
  wellposed plan --npz weights.npz                 the arrays of a file, in their order; none is loaded
  wellposed plan --file chains.txt --json          a chain on each line, as 10,100,5,50 or 10x100 100x5 5x50
  wellposed plan --minimize memory …               the fewest elements alive at once
  wellposed plan --minimize multiplications=1,moved=20 …
                                                   a weighted sum: multiplications, moved (elements), memory (elements)
  wellposed plan --memory-limit 1e6 --pareto …     what memory costs in multiplications, within a limit
  wellposed plan --requires-grad 0,2 …             the backward pass counts too; these operands need a gradient
  wellposed plan --calibrate                       measure this machine once, for --minimize time

The order is an exact optimum. In Python: wellposed.matrix_chain_multiplication([50, 5, 100, 10])."""

_SCHEMA = "wellposed-plan/1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help="shapes as 10x100, or all dimensions: 10 100 5 50")
    parser.add_argument("--dims", metavar="N,N,…", help="the n + 1 dimensions of n matrices")
    parser.add_argument("--file", metavar="FILE", help="a file with a chain on each line; - is standard input")
    parser.add_argument("--npz", metavar="FILE", help="the arrays of a .npz file are the chain")
    parser.add_argument(
        "--minimize",
        metavar="WHAT",
        default="multiplications",
        help="multiplications, memory, time, or weights as multiplications=1,moved=20 (default: %(default)s)",
    )
    parser.add_argument(
        "--memory-limit", metavar="ELEMENTS", help="the most elements alive at once beyond the operands"
    )
    parser.add_argument("--requires-grad", metavar="I,I,…", help="operands that need a gradient, from 0; or all")
    parser.add_argument("--pareto", action="store_true", help="also the trades of memory against the rest")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--calibrate", action="store_true", help="measure this machine's products and keep the result")


def execute(args: argparse.Namespace) -> int:
    """Print the plans. Raises UsageError with a sentence for the user."""
    if args.calibrate:
        _calibrate()
        if not (args.shapes or args.dims or args.file or args.npz):
            return 0
    plans = [_plan(given, args) for given in chains(args)]
    if args.json:
        print(json.dumps({"schema": _SCHEMA, "plans": [_plain(plan, args.pareto) for plan in plans]}, indent=1))
        return 0
    from wellposed.report.terminal import write

    write("\n".join(_told(plan, args.pareto) for plan in plans), sys.stdout)
    return 0


def _plan(given: Given, args: argparse.Namespace) -> Plan:
    from wellposed.chain import matrix_chain_multiplication
    from wellposed.chain.dimensions import parse

    try:
        operands = parse(given.dims).operands
        return matrix_chain_multiplication(
            given.dims,
            minimize=minimize(args.minimize),
            memory_limit=None if args.memory_limit is None else elements(args.memory_limit),
            requires_grad=None if args.requires_grad is None else gradients(args.requires_grad, operands),
        )
    except ValueError as error:
        raise UsageError(f"{given.where}{error}") from error


def _calibrate() -> None:
    from wellposed.chain.calibration import calibrate

    print("Measuring products of this machine, for about a second …", file=sys.stderr)
    try:
        measured, file = calibrate()
    except ImportError as error:
        raise UsageError("--calibrate needs NumPy: pip install numpy") from error
    except OSError as error:
        raise UsageError(f"cannot keep the coefficients: {error}") from error
    multiplication, element = measured.seconds_per_multiplication, measured.seconds_per_element
    print(
        f"{multiplication:.3g} s for a multiplication, {element:.3g} s for an element moved; kept in {file}",
        file=sys.stderr,
    )


# --- as text ----------------------------------------------------------------------------------------------------


def _told(plan: Plan, pareto: bool) -> str:
    from rich.text import Text

    from wellposed.chain.text import report, tree_picture
    from wellposed.report.terminal import in_colour

    head, *lines = report(plan).splitlines()
    pictured = tree_picture(plan)
    blocks = [Text(head, style="bold"), *map(Text, pictured), *([Text()] if pictured else [])]
    blocks += [Text(line, style="green" if " → " in line and line.endswith("×") else "") for line in lines]
    if pareto:
        blocks += [Text(), *map(Text, _front(plan))]
    return _rendered(blocks, in_colour(sys.stdout))


def _rendered(blocks: list[Any], colour: bool) -> str:
    import io

    from rich.console import Console

    # Lines keep their length: a table that is broken in two is harder to read than one that is cut by the window.
    out = io.StringIO()
    console = Console(file=out, force_terminal=colour, color_system="standard" if colour else None, highlight=False)
    for block in blocks:
        console.print(block, soft_wrap=True)
    return out.getvalue()


def _front(plan: Plan) -> Iterator[str]:
    from wellposed.chain.text import large, short_expression

    front = _pareto(plan)
    yield "memory against multiplications; no order beats these in both:"
    width = max(len(large(point.peak_elements)) for point in front)
    for point in front:
        yield (
            f"  {large(point.peak_elements):>{width}} elements, {large(point.cost)} multiplications: "
            f"{short_expression(point)}"
        )


def _pareto(plan: Plan) -> list[Plan]:
    try:
        return plan.pareto()
    except ValueError as error:
        raise UsageError(f"--pareto: {error}") from error


# --- as JSON ----------------------------------------------------------------------------------------------------


def _plain(plan: Plan, pareto: bool) -> dict[str, Any]:
    """The plan in JSON's own types; nested pairs are left to `expression` and `path`, which have no depth."""
    told: dict[str, Any] = {
        "dimensions": list(plan.dimensions),
        "batches": [list(batch) for batch in plan.chain.batches],
        "minimize": plan.minimize.name,
        "memory_limit": plan.memory_limit,
        "requires_grad": list(plan.requires_grad),
        "cost": plan.cost,
        "cost_as_written": plan.cost_as_written,
        "cost_right_to_left": plan.cost_right_to_left,
        "speedup": plan.speedup if math.isfinite(plan.speedup) else "inf",
        "peak_elements": plan.peak_elements,
        "value": plan.value,
        "expression": plan.expression,
        "path": [list(step) for step in plan.path],
        "products": [product._asdict() for product in plan.products],
    }
    if pareto:
        told["pareto"] = [
            {"peak_elements": point.peak_elements, "cost": point.cost, "expression": point.expression}
            for point in _pareto(plan)
        ]
    return told
