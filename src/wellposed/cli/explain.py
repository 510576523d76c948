"""``wellposed explain``: a rule's or a rewrite's page, or the list of all."""

from __future__ import annotations

import argparse
import sys

NAME = "explain"
HELP = "explain a rule or a rewrite: what it is, why it matters, what to do instead; alone, list all rules"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "rule",
        nargs="?",
        metavar="NAME",
        help="a rule's name, code or cause, or a rewrite's name; all rules without it",
    )
    parser.add_argument(
        "--rewrites",
        action="store_true",
        help="list the rewrites: unstable formulas with the stable form, the limit in each dtype and the source; "
        "with NAME, those whose name, title or cause contains it",
    )


def execute(args: argparse.Namespace) -> int:
    """Print the page, or the rules of a cause, or all. Raises UnknownRuleError where nothing has this name."""
    if args.rewrites:
        return _list_rewrites(args.rule)
    from wellposed.findings import UnknownRuleError, all_rules, find_rule
    from wellposed.report.rule_pages import print_list, print_page

    asked = [entry for entry in all_rules() if args.rule in (None, entry.rule.cause)]
    if asked or args.rule is None:
        print_list(asked, sys.stdout)
        return 0
    try:
        print_page(find_rule(args.rule), sys.stdout)
    except UnknownRuleError as error:
        _explain_rewrite(args.rule, error)
        return 0
    _point_to_rewrite(args.rule)
    return 0


def _explain_rewrite(name: str, unknown: Exception) -> None:
    """The rewrite of this name. Raises UnknownRuleError, with the nearest names of either kind, where there is none."""
    from wellposed.findings import UnknownRuleError
    from wellposed.report.rewrite_pages import print_rewrite
    from wellposed.rewrites import UnknownRewriteError, find

    try:
        rewrite = find(name)
    except UnknownRewriteError as error:
        near = str(error).partition("did you mean ")[2].rstrip("?")
        hint = f", or the rewrite {near}?" if near else ""
        raise UnknownRuleError(f"{str(unknown).rstrip('?') if hint else unknown}{hint}") from None
    print_rewrite(rewrite, sys.stdout)


def _point_to_rewrite(name: str) -> None:
    """Print a rewrite that bears the same name as a rule under the rule's page."""
    from wellposed.report.rewrite_pages import print_rewrite
    from wellposed.rewrites import UnknownRewriteError, find

    try:
        rewrite = find(name)
    except UnknownRewriteError:
        return
    sys.stdout.write("\n")
    print_rewrite(rewrite, sys.stdout)


def _list_rewrites(part: str | None) -> int:
    from wellposed.report.rewrite_pages import print_rewrites
    from wellposed.rewrites import UnknownRewriteError, all_rewrites, find

    wanted = (part or "").strip().lower()
    asked = [
        each for each in all_rewrites() if wanted in each.name or wanted in each.title.lower() or wanted == each.cause
    ]
    if not asked:
        try:
            find(wanted)
        except UnknownRewriteError as error:
            from wellposed.findings import UnknownRuleError

            raise UnknownRuleError(str(error)) from None
    print_rewrites(asked, sys.stdout)
    return 0
