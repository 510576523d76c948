"""One root, its consequences tied to it, advice apart."""

from __future__ import annotations

from tests.records import RecordBuilder, statistics
from wellposed.diagnosis.diagnose import diagnose, rank
from wellposed.findings import Finding, Location
from wellposed.record import Record


def finding(rule="some-rule", *, line=1, operation=None, **fields):
    where = Location(file="train.py", line=line, phase=fields.pop("phase", "forward"))
    known = {"code": "N999", "cause": "unstable-function", "severity": "error", "message": rule, "step": 0}
    operations = () if operation is None else (operation,)
    return Finding(rule=rule, where=where, operations=operations, **{**known, **fields})


def test_of_two_findings_about_one_operation_the_more_specific_is_kept():
    told = rank([finding("general", operation=5), finding("particular", operation=5, specificity=2)])
    assert [each.rule for each in told] == ["particular"]


def test_what_breaks_first_is_the_root_and_what_breaks_later_follows():
    later = finding("later", line=9, operation=30, step=4)
    first = finding("first", line=3, operation=7, step=2)
    told = rank([later, first])
    assert [(each.rule, each.role, each.id, each.caused_by) for each in told] == [
        ("first", "root", 1, ()),
        ("later", "consequence", 2, (1,)),
    ]


def test_within_a_step_forward_comes_before_backward():
    backward = finding("backward", line=9, operation=2, phase="backward")
    forward = finding("forward", line=3, operation=7)
    assert [each.rule for each in rank([backward, forward]) if each.role == "root"] == ["forward"]


def test_an_error_outranks_an_earlier_warning_which_becomes_advice():
    warning = finding("warning", line=2, step=0, severity="warning", cause="vanishing-gradient")
    error = finding("error", line=3, operation=7, step=5)
    told = rank([warning, error])
    assert [(each.rule, each.role) for each in told] == [("error", "root"), ("warning", "advice")]


def test_a_consequence_without_a_root_becomes_the_root():
    told = rank([finding("loss", role="consequence")])
    assert [(each.role, each.caused_by) for each in told] == [("root", ())]


def test_a_consequence_carries_the_cause_of_its_root():
    told = rank([finding("root", operation=1, cause="epsilon"), finding("loss", line=8, role="consequence", step=1)])
    assert [each.cause for each in told] == ["epsilon", "epsilon"]


def test_advice_about_a_line_that_is_told_already_is_dropped():
    told = rank([finding("root", operation=1), finding("risky", role="advice"), finding("else", line=7, role="advice")])
    assert [each.rule for each in told] == ["root", "else"]


def test_a_program_with_advice_alone_has_no_root():
    assert [each.role for each in rank([finding("risky", role="advice")])] == ["advice"]


def test_consequences_are_tied_to_the_root_that_data_flow_leads_back_to(tmp_path):
    """Two faults in one step; the second result is computed from the second fault only."""
    with RecordBuilder(tmp_path / "r.wellposed") as record:
        record.step(0)
        one = record.operation("aten.log.default", line=1, output=statistics(nan=1))
        two = record.operation("aten.sqrt.default", line=2, output=statistics(nan=1))
        after = record.operation("aten.mul.Tensor", line=3, output=statistics(nan=1), inputs=[two])
    findings = [
        finding("one", line=1, operation=one),
        finding("two", line=2, operation=two),
        finding("after", line=3, operation=after, role="consequence"),
    ]
    with Record(tmp_path / "r.wellposed") as record:
        told = {each.rule: each for each in rank(findings, record)}
    assert told["one"].role == told["two"].role == "root"
    assert told["after"].caused_by == (told["two"].id,)


def test_a_fault_computed_from_another_fault_is_no_root(tmp_path):
    with RecordBuilder(tmp_path / "r.wellposed") as record:
        record.step(0)
        one = record.operation("aten.log.default", line=1, output=statistics(infinite=1))
        two = record.operation("aten.mul.Tensor", line=2, output=statistics(nan=1), inputs=[one])
    with Record(tmp_path / "r.wellposed") as record:
        told = rank([finding("one", line=1, operation=one), finding("two", line=2, operation=two)], record)
    assert [(each.rule, each.role, each.caused_by) for each in told] == [
        ("one", "root", ()),
        ("two", "consequence", (1,)),
    ]


def test_a_rule_that_fails_costs_nobody_the_others(tmp_path, monkeypatch):
    from dataclasses import replace

    from wellposed.findings import all_rules

    def fails(_record):
        raise ZeroDivisionError

    rules = (replace(all_rules()[0], check=fails), *all_rules()[1:])
    import sys

    monkeypatch.setattr(sys.modules["wellposed.diagnosis.diagnose"], "all_rules", lambda: rules)
    with RecordBuilder(tmp_path / "r.wellposed") as record:
        record.step(0, loss=float("nan"))
    with Record(tmp_path / "r.wellposed") as record:
        diagnosis = diagnose(record)
    assert diagnosis.failed_rules == (rules[0].rule.name,)
    assert any(each.rule == "loss-not-finite" for each in diagnosis.findings)
