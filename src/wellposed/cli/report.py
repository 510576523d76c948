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
    from wellposed.report import Runs

NAME = "report"
HELP = "tell a recording again: on the terminal, as JSON, or as one HTML page"
FORMATS = ("terminal", "json", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="what to make (default: %(default)s)")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="where to write it; - is standard output (html: FILE.html by default)"
    )
    parser.add_argument(
        "records", nargs="+", metavar="FILE.wellposed", type=Path, help="a recording; several are the ranks of one run"
    )


def execute(args: argparse.Namespace) -> int:
    """Write the report. Raises RecordError, SettingsError or UsageError with a sentence for the user."""
    from wellposed.diagnosis import diagnose
    from wellposed.record import Record
    from wellposed.settings import load_settings

    disabled = load_settings(Path.cwd()).disabled
    with contextlib.ExitStack() as stack:
        records = [stack.enter_context(Record(path)) for path in args.records]
        if len({repr(record.meta.get("script")) for record in records}) > 1:
            raise UsageError("these records are of different programs; several are told as the ranks of one run")
        runs = [(record, diagnose(record, disabled=disabled)) for record in records]
        _tell(runs, args.format, args.output, args.records)
    return 0


def _tell(runs: Runs, form: str, output: str | None, records: list[Path]) -> None:
    if form == "terminal" and output in (None, "-"):
        from wellposed.report.terminal import print_report

        print_report(runs)
        return
    text = _text(runs, form)
    if output == "-" or (output is None and form == "json"):
        from wellposed.report.terminal import write

        write(text, sys.stdout)
        return
    target = Path(output) if output else default_page(records[0])
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
    stem = record.name.removesuffix(".wellposed")
    return record.with_name(re.sub(r"\.rank\d+$", "", stem) + ".html")


def _must_be_ours(target: Path) -> None:
    """A page that somebody else wrote is not overwritten unasked."""
    from wellposed.report.html import is_our_page

    if target.exists() and not is_our_page(target):
        raise UsageError(f"{target} exists and is no page of ours; choose another name with -o")
