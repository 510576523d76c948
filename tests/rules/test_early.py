"""Rules that see trouble before it does harm, asked of records made by hand."""

from __future__ import annotations

import pytest

from tests.records import RecordBuilder, statistics
from wellposed.diagnosis import diagnose
from wellposed.record import Record


def _diagnosis(path):
    with Record(path) as record:
        return diagnose(record)


def _rules(path):
    diagnosis = _diagnosis(path)
    assert not diagnosis.failed_rules
    return {each.rule: each for each in diagnosis.findings}


@pytest.mark.parametrize(
    ("ratios", "fires"), [([1.0] * 12 + [9.0, 8.0], True), ([5.0] * 14, False), ([1.0] * 14, False)]
)
def test_adam_s_ratio(tmp_path, ratios, fires):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        number = record.parameter("head.weight")
        for step, ratio in enumerate(ratios):
            record.step(step, loss=1.0)
            record.gradient(step, number, statistics(rms=0.01), adam_ratio=ratio)
    found = _rules(tmp_path / "a.wellposed").get("adam-ratio-spike")
    assert (found is not None) == fires
    if found:
        assert found.role == "advice" and found.step == 13 and "head.weight" in found.message


def test_a_warning_that_watch_gave_is_told_again(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        record.step(7, loss=1.0)
        record.event("early-warning", 7, signal="adam-ratio", value=6.0, threshold=4.0, where="head.weight")
    assert _rules(tmp_path / "a.wellposed")["adam-ratio-spike"].step == 7


@pytest.mark.parametrize(
    ("details", "severity"),
    [
        ({"rate": 0.1, "along": 30.0, "largest": 40.0, "edge": 2.0}, "warning"),
        ({"rate": 0.1, "along": 5.0, "largest": 40.0, "edge": 2.0}, "note"),
        ({"rate": 0.1, "along": 5.0, "largest": 10.0, "edge": 2.0}, None),
        ({"rate": None, "along": 5.0, "largest": 10.0}, None),
        ({"rate": 0.1, "note": "no second derivative"}, None),
    ],
)
def test_curvature_of_an_audit(tmp_path, details, severity):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        record.step(0, loss=1.0)
        record.event("curvature", 0, adaptive=False, **details)
    found = _rules(tmp_path / "a.wellposed").get("curvature-beyond-learning-rate")
    assert (found and found.severity) == severity


@pytest.mark.parametrize(("curvature", "fires"), [(40.0, True), (15.0, False)])
def test_curvature_between_measured_steps(tmp_path, curvature, fires):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        record.event("optimizer", 0, **{"class": "SGD", "lr": 0.1, "momentum": 0.0})
        for step in range(6):
            record.step(step, loss=1.0, learning_rate=0.1, curvature=curvature if step else None)
    assert ("curvature-beyond-learning-rate" in _rules(tmp_path / "a.wellposed")) == fires
