"""What a diagnosis is: findings ranked, each consequence tied to its root, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from wellposed.findings import Finding


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Roots come first, most serious first; then consequences in order of time; then advice."""

    findings: tuple[Finding, ...]
    failed_rules: tuple[str, ...] = ()
    """Rules that could not cope with the record; what they look for was not looked for."""

    @property
    def roots(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.role == "root")

    @property
    def advice(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.role == "advice")

    @property
    def verdict(self) -> str:
        """``healthy``, or the cause of the first root."""
        return self.roots[0].cause if self.roots else "healthy"

    def consequences(self, root: Finding) -> tuple[Finding, ...]:
        """What follows from `root`, directly or through others, in order of time."""
        reached = {root.id}
        for _ in self.findings:
            reached |= {each.id for each in self.findings if reached.intersection(each.caused_by)}
        return tuple(each for each in self.findings if each.id in reached and each.id != root.id)
