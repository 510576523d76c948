"""``wellposed explain``: a rule's page, or the list of all rules."""

from __future__ import annotations

import argparse
import sys

NAME = "explain"
HELP = "explain a rule: what it sees, why it matters, an example, what to do instead; alone, list all rules"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", nargs="?", metavar="RULE", help="name, code or cause of a rule; all rules without it")


def execute(args: argparse.Namespace) -> int:
    """Print the page, or the rules of a cause, or all. Raises UnknownRuleError where there is no such rule."""
    from wellposed.findings import all_rules, find_rule
    from wellposed.report.rule_pages import print_list, print_page

    asked = [entry for entry in all_rules() if args.rule in (None, entry.rule.cause)]
    if asked or args.rule is None:
        print_list(asked, sys.stdout)
    else:
        print_page(find_rule(args.rule), sys.stdout)
    return 0
