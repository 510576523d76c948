"""torch-audit: rules over parameters, gradients, activations, batches and settings, in the running loop."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.messages import ALARM, NOTE, Message
from benchmarks.peers.watching import Watch

NAME = "torch-audit"
DISTRIBUTION = "torch-audit"
HOW = (
    "`autopatch(model, optimizer=optimizer, every_n_steps=1, run_static=True, run_init=True)` before the first forward "
    "pass of each model; `finish()` at the end."
)

CAUSES = {
    "TA100": ("learning-rate", "float16-range", "bad-init"),
    "TA102": ("exploding-gradient", "learning-rate"),
    "TA103": ("dead-relu", "bad-init", "vanishing-gradient"),
    "TA105": ("dead-relu", "bad-init", "learning-rate"),
    "TA301": ("bad-data",),
    "TA302": ("bad-data",),
    "TA305": ("bad-data",),
    "TA405": ("bad-init",),
}
"""A rule's remediation counts too: that of TA100 is "check learning rate, loss scaling, or initialization"."""

NUMERIC = ("TA1", "TA3", "TA405")
"""Rules that may raise an alarm; hints on hardware, style, weight decay and unused layers are none."""


def install(watch: Watch):
    from torch_audit import autopatch

    auditors: list[tuple[Any, Any]] = []

    def put_on(model: Any, optimizer: Any) -> None:
        for earlier, auditor in auditors:
            if earlier is model and optimizer is not None and auditor.optimizer is None:
                auditor.unpatch()
        auditors.append((model, autopatch(model, optimizer=optimizer, every_n_steps=1)))

    watch.on_model(put_on)

    def collect(ended: BaseException | None, printed: str) -> tuple[list[Message], bool]:
        results = [auditor.finish() for _, auditor in auditors]
        said = [message(finding, result.rules, watch) for result in results for finding in result.findings]
        return list({(m.kind, m.module, m.severity): m for m in reversed(said)}.values())[::-1], bool(auditors)

    return collect


def message(finding: Any, rules: Any, watch: Watch) -> Message:
    rule = rules.get(finding.rule_id)
    numeric = finding.rule_id.startswith(NUMERIC)
    loud = finding.severity.value in {"WARN", "ERROR", "FATAL"}
    module = None if finding.module_path in {None, "global", "optimizer"} else finding.module_path
    where = f" [{finding.module_path}, step {finding.step}]" if finding.module_path else f" [step {finding.step}]"
    text = f"{finding.severity.value} {finding.rule_id}: {finding.message}{where}"
    if rule is not None:
        text += f" Remediation: {rule.remediation}"
    return Message(
        finding.rule_id,
        text,
        ALARM if numeric and loud else NOTE,
        module=module,
        module_lines=watch.lines_of(module) if numeric else (),
    )
