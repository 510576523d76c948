"""Finds the rules by walking the package `wellposed.rules`: a new file is a new rule, nothing else is edited."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from types import ModuleType

from wellposed.findings.rule import RegisteredRule, Rule, parse_page

RULES_PACKAGE = "wellposed.rules"


class UnknownRuleError(LookupError):
    """No rule has this name or code; the message names the nearest."""


@functools.cache
def all_rules() -> tuple[RegisteredRule, ...]:
    """Every rule, in the order of its code. Raises ValueError where two rules share a name or a code."""
    package = importlib.import_module(RULES_PACKAGE)
    found: list[RegisteredRule] = []
    for info in pkgutil.walk_packages(package.__path__, prefix=f"{RULES_PACKAGE}."):
        module = importlib.import_module(info.name)
        if isinstance(getattr(module, "RULE", None), Rule):
            found.append(_registered(module))
    for key in ("name", "code"):
        seen: dict[str, str] = {}
        for entry in found:
            value = getattr(entry.rule, key)
            if value in seen:
                raise ValueError(f"two rules have the {key} {value}")
            seen[value] = entry.rule.name
    return tuple(sorted(found, key=lambda entry: entry.rule.code))


def find_rule(name_or_code: str) -> RegisteredRule:
    """The rule of this name or code. Raises UnknownRuleError with the nearest names."""
    wanted = name_or_code.strip().lower()
    for entry in all_rules():
        if wanted in (entry.rule.name, entry.rule.code.lower()):
            return entry
    names = [entry.rule.name for entry in all_rules()]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownRuleError(f"there is no rule {name_or_code!r}{hint}")


def _registered(module: ModuleType) -> RegisteredRule:
    try:
        page = parse_page(module.__doc__ or "")
    except ValueError as error:
        raise ValueError(f"{module.__name__}: {error}") from None
    return RegisteredRule(rule=module.RULE, check=module.check, page=page)
