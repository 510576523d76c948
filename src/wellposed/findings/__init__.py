"""Findings and the rules that make them. Knows nobody: no torch, no files, no clock."""

from wellposed.findings.causes import CAUSES, Cause
from wellposed.findings.finding import (
    SEVERITIES,
    Confidence,
    Evidence,
    Finding,
    Fix,
    Location,
    Phase,
    Role,
    Series,
    Severity,
)
from wellposed.findings.registry import UnknownRuleError, all_rules, find_rule
from wellposed.findings.rule import Page, RegisteredRule, Rule, parse_page

__all__ = [
    "CAUSES",
    "SEVERITIES",
    "Cause",
    "Confidence",
    "Evidence",
    "Finding",
    "Fix",
    "Location",
    "Page",
    "Phase",
    "RegisteredRule",
    "Role",
    "Rule",
    "Series",
    "Severity",
    "UnknownRuleError",
    "all_rules",
    "find_rule",
    "parse_page",
]
