"""``wellposed explain``: a rule's page, or the list of all rules."""

from __future__ import annotations

import argparse
import sys

from wellposed.cli.messages import fail

NAME = "explain"
HELP = "explain a rule: what it sees, why it matters, an example, what to do instead; alone, list all rules"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", nargs="?", metavar="RULE", help="name, code or cause of a rule; all rules without it")


def execute(args: argparse.Namespace) -> int:
    """Print the page, or the rules of a cause, or all. Exit code 2 where there is no such rule."""
    from wellposed.findings import CAUSES, UnknownRuleError, all_rules, find_rule
    from wellposed.report.rule_pages import print_list, print_page

    if args.rule is None:
        print_list(all_rules(), sys.stdout)
        return 0
    try:
        print_page(find_rule(args.rule), sys.stdout)
    except UnknownRuleError as error:
        of_cause = [entry for entry in all_rules() if entry.rule.cause == args.rule]
        if args.rule not in CAUSES or not of_cause:
            return fail(error)
        print_list(of_cause, sys.stdout)
    return 0
