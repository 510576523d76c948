"""The report for other programs: the contract "wellposed/1", which only grows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from wellposed.findings import Evidence, Finding, Fix, Location, Series
from wellposed.report.epsilons import epsilons_of
from wellposed.report.epsilons import to_json as epsilon_to_json
from wellposed.report.merge import Facts, Runs, Told, facts, merge, merged_diagnosis

SCHEMA = "wellposed/1"


def to_json(runs: Runs, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The contract's object, made of JSON values only; `more` are further keys of it.

    Raises RecordError where a record is damaged."""
    told = merge(runs)
    about = facts(runs)
    found = {
        "schema": SCHEMA,
        "program": {"argv": list(about.argv), "exit_code": about.exit_code, "error": about.error},
        "run": _run(about),
        "verdict": merged_diagnosis(told).verdict,
        "findings": [_finding(each) for each in told],
        "epsilons": [epsilon_to_json(each) for each in epsilons_of(runs[0][0])],
        **(more or {}),
    }
    return dict(_finite(found))


def to_json_text(runs: Runs, more: Mapping[str, Any] | None = None) -> str:
    """The same as text: ASCII, so that no encoding and no terminal is in the way, with a line break at the end."""
    return json.dumps(to_json(runs, more), indent=2, allow_nan=False) + "\n"


def _run(about: Facts) -> dict[str, Any]:
    return {
        "steps": about.steps,
        "operations": about.operations,
        "wall_seconds": about.wall_seconds,
        "recording_seconds": about.recording_seconds,
        "ranks": list(about.ranks),
    }


def _finding(told: Told) -> dict[str, Any]:
    finding: Finding = told.finding
    return {
        "id": finding.id,
        "rule": finding.rule,
        "code": finding.code,
        "cause": finding.cause,
        "role": finding.role,
        "caused_by": list(finding.caused_by),
        "severity": finding.severity,
        "where": _where(finding.where),
        "step": finding.step,
        "message": finding.message,
        "confidence": finding.confidence,
        "settled_by": finding.settled_by,
        "evidence": [_evidence(each) for each in finding.evidence],
        "fixes": [_fix(each) for each in finding.fixes],
        "series": [_series(each) for each in finding.series],
        "operations": list(finding.operations),
        "ranks": list(told.ranks),
    }


def _where(where: Location) -> dict[str, Any]:
    return {
        "file": where.file,
        "line": where.line,
        "function": where.function,
        "module": where.module,
        "operator": where.operator,
        "phase": where.phase,
        "library": where.library,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "name": evidence.name,
        "value": evidence.value,
        "unit": evidence.unit,
        "threshold": evidence.threshold,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "how": fix.how,
        "verified": fix.verified,
        "evidence": [_evidence(each) for each in fix.evidence],
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "name": series.name,
        "labels": list(series.labels),
        "values": list(series.values),
        "unit": series.unit,
        "logarithmic": series.logarithmic,
    }


def _finite(value: Any) -> Any:
    """The same with non-finite numbers as the strings "nan", "inf" and "-inf"."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value
