"""The causal model: what it derives from what, and that it is drawn as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellposed.diagnosis.causality import LINKS, SYMPTOMS, explained_by, explains, nearest, reasons
from wellposed.diagnosis.diagnose import rank
from wellposed.diagnosis.picture import mermaid, table
from wellposed.findings import CAUSES, Finding, Location, all_rules

RULES = {entry.rule.name: entry.rule for entry in all_rules()}
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "diagnosis.md"


def found(rule: str, step: int = 0, line: int = 1, **fields: object) -> Finding:
    known = {"code": RULES[rule].code, "cause": RULES[rule].cause, "severity": "error", "message": rule, **fields}
    return Finding(rule=rule, where=Location(file="a.py", line=line, phase="forward"), step=step, **known)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.cause)
def test_a_link_names_causes_or_rules_that_exist_and_gives_its_reason(link):
    for name in (link.cause, *link.effects):
        assert name in CAUSES or name in RULES, name
    assert link.why.endswith(".")
    assert link.cause not in link.effects


def test_symptoms_are_rules():
    assert set(SYMPTOMS) <= set(RULES)


def test_the_document_draws_the_model_as_it_is():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert mermaid() in text and table() in text, "run python -m wellposed.diagnosis.picture"


def test_a_cause_explains_what_follows_and_not_what_came_before():
    start, later = found("weights-too-large", 0), found("saturated-activation", 3)
    assert explains(start, later) and reasons(start, later)
    assert not explains(found("weights-too-large", 5), later)
    assert not explains(later, start)


def test_a_rare_operand_may_be_caught_after_the_harm_it_did():
    assert explains(found("tiny-denominator", 7), found("unscaled-target", 0))


def test_the_model_holds_no_circle_among_causes_that_would_leave_no_root():
    everything = [found(name, line=number) for number, name in enumerate(RULES) if name not in SYMPTOMS]
    told = rank(everything)
    assert any(each.role == "root" for each in told)


def test_of_two_that_explain_each_other_the_first_is_the_cause():
    rate, gradient = found("learning-rate-too-large"), found("exploding-gradient")
    assert explains(rate, gradient) and explains(gradient, rate)
    assert explained_by([rate, gradient]) == {0: [], 1: [rate]}
    assert explained_by([gradient, rate]) == {0: [], 1: [gradient]}


def test_an_effect_is_tied_to_the_last_link_of_the_chain():
    start, flat, lost = found("weights-too-large"), found("saturated-activation"), found("vanishing-gradient")
    assert nearest([each for each in (start, flat) if explains(each, lost)]) == [flat]


def test_a_bad_start_is_told_as_one_chain_that_ends_at_the_loss():
    told = rank(
        [
            found("loss-not-improving", 90, 9, role="advice", severity="note"),
            found("vanishing-gradient", 0, 7),
            found("saturated-activation", 0, 5),
            found("weights-too-large", 0, 3),
        ]
    )
    chain = {each.rule: each for each in told}
    assert [each.role for each in told] == ["root", "consequence", "consequence", "consequence"]
    assert told[0].rule == "weights-too-large"
    assert chain["saturated-activation"].caused_by == (told[0].id,)
    assert chain["vanishing-gradient"].caused_by == (chain["saturated-activation"].id,)
    assert chain["loss-not-improving"].caused_by == (chain["vanishing-gradient"].id,)
    assert {each.cause for each in told} == {"bad-init"}


def test_a_flat_loss_alone_is_advice():
    (told,) = rank([found("loss-not-improving", 90, role="advice", severity="note")])
    assert told.role == "advice"
