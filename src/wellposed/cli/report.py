"""``wellposed report``: tells a recording again, on the terminal, as JSON or as one HTML page."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wellposed.cli.errors import UsageError

if TYPE_CHECKING:
    from wellposed.diagnosis import Diagnosis
    from wellposed.record import Record
    from wellposed.report import Runs

NAME = "report"
HELP = "tell a recording again: on the terminal, as JSON, or as one HTML page"
EPILOG = """\
examples:
  wellposed report train.wellposed                            the diagnosis again
  wellposed report --format html train.wellposed              curves, source, operators
  wellposed report train.rank0.wellposed train.rank1.wellposed
                                                              two ranks as one run
  wellposed report --compare works.wellposed fails.wellposed  where two runs part

A run that works and one that does not? Record both, then --compare them: what was given differently, the first operator
whose numbers differ, with its line in both, and how loss and gradients went from there."""
FORMATS = ("terminal", "json", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="what to make (default: %(default)s)")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="where to write it; - is standard output (html: FILE.html by default)"
    )
    parser.add_argument(
        "--compare", action="store_true", help="two recordings side by side: what differs first, and where"
    )
    parser.add_argument(
        "records", nargs="+", metavar="FILE.wellposed", type=Path, help="a recording; several are the ranks of one run"
    )


def execute(args: argparse.Namespace) -> int:
    """Write the report. Raises RecordError, SettingsError or UsageError with a sentence for the user."""
    from wellposed.diagnosis import diagnose
    from wellposed.record import Record
    from wellposed.settings import load_settings

    if args.compare and len(args.records) != 2:
        raise UsageError(f"--compare takes two records, not {len(args.records)}: one run beside another")
    disabled = load_settings(Path.cwd()).disabled
    with contextlib.ExitStack() as stack:
        records = [stack.enter_context(Record(path)) for path in args.records]
        if not args.compare and len({repr(record.meta.get("script")) for record in records}) > 1:
            raise UsageError(
                "these records are of different programs; several are told as the ranks of one run, "
                "and two are put side by side by --compare"
            )
        runs = [(record, diagnose(record, disabled=disabled)) for record in records]
        if args.compare:
            _tell_apart(runs[0], runs[1], args.format, args.output, args.records)
        else:
            _tell(runs, args.format, args.output, args.records)
    return 0


def _tell(runs: Runs, form: str, output: str | None, records: list[Path]) -> None:
    if form == "terminal" and output in (None, "-"):
        from wellposed.report.terminal import print_report

        print_report(runs)
    else:
        _write(_text(runs, form), form, output, default_page(records[0]), records)


def _tell_apart(
    a: tuple[Record, Diagnosis], b: tuple[Record, Diagnosis], form: str, output: str | None, records: list[Path]
) -> None:
    from wellposed.report.compare import compare, make_account, to_json_text

    compared = compare(a, b)
    if form == "json":
        text = to_json_text(compared)
    elif form == "html":
        from wellposed.report.compare.page import to_html

        text = to_html(compared, a[0], b[0])
    else:
        from wellposed.report.compare.terminal import print_account, render

        if output in (None, "-"):
            print_account(make_account(compared))
            return
        text = render(make_account(compared))
    beside = records[0].with_name(f"{_stem(records[0])}-and-{_stem(records[1])}.html")
    _write(text, form, output, beside, records)


def _write(text: str, form: str, output: str | None, page: Path, records: list[Path]) -> None:
    if output == "-" or (output is None and form == "json"):
        from wellposed.report.terminal import write

        write(text, sys.stdout)
        return
    target = Path(output) if output else page
    if output is None:
        _must_be_ours(target)
    if any(target.resolve() == record.resolve() for record in records):
        raise UsageError(f"{target} is the record itself; choose another name with -o")
    try:
        target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    print(target)


def _text(runs: Runs, form: str) -> str:
    if form == "json":
        from wellposed.report import to_json_text

        return to_json_text(runs)
    if form == "html":
        from wellposed.report.html import to_html

        return to_html(runs)
    from wellposed.report import make_story
    from wellposed.report.terminal import render

    return render(make_story(runs))


def default_page(record: Path) -> Path:
    """The page's name beside its record: ``train.html`` of ``train.wellposed`` and of ``train.rank0.wellposed``."""
    return record.with_name(re.sub(r"\.rank\d+$", "", _stem(record)) + ".html")


def _stem(record: Path) -> str:
    return record.name.removesuffix(".wellposed")


def _must_be_ours(target: Path) -> None:
    """A page that somebody else wrote is not overwritten unasked."""
    from wellposed.report.html import is_our_page

    if target.exists() and not is_our_page(target):
        raise UsageError(f"{target} exists and is no page of ours; choose another name with -o")
