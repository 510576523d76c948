"""The contract "wellposed/1": names, types, order and numbers."""

from __future__ import annotations

import json
import math

from wellposed.diagnosis import Diagnosis
from wellposed.findings import Evidence, Finding, Location
from wellposed.report import to_json, to_json_text


def test_the_object_has_the_shape_of_the_contract(broken):
    told = to_json(broken)

    assert told["schema"] == "wellposed/1"
    assert told["program"] == {"argv": ["train.py", "--steps", "200"], "exit_code": 0, "error": None}
    run = told["run"]
    assert (run["steps"], run["operations"], run["wall_seconds"], run["recording_seconds"]) == (40, 48211, 9.1, 0.8)
    assert told["verdict"] == "unstable-function"
    root = told["findings"][0]
    assert root["id"] == 1
    assert (root["rule"], root["code"], root["cause"]) == ("sqrt-at-zero", "N241", "unstable-function")
    assert (root["role"], root["caused_by"], root["severity"], root["step"]) == ("root", [], "error", 12)
    assert root["where"]["file"] == "train.py"
    assert root["where"]["line"] == 15
    assert root["where"]["function"] == "forward"
    assert root["where"]["module"] == "Distance"
    assert root["where"]["operator"] == "aten.sqrt.default"
    assert root["where"]["phase"] == "backward"
    assert root["evidence"][0] == {"name": "smallest input of sqrt", "value": 0.0, "unit": "", "threshold": 1e-12}
    assert root["fixes"][0]["title"] == "Keep the root away from zero"
    assert root["fixes"][0]["how"] == "return (squared + 1e-12).sqrt()"
    assert root["fixes"][0]["verified"] is True
    assert root["fixes"][1]["verified"] is None
    assert [each["role"] for each in told["findings"]] == ["root", *["consequence"] * 3, "advice"]
    assert told["findings"][2]["caused_by"] == [2]


def test_numbers_that_are_not_finite_are_strings(broken):
    record, _ = broken[0]
    evidence = tuple(Evidence(str(value), value) for value in (math.nan, math.inf, -math.inf))
    finding = Finding("a-rule", "N999", "bad-data", "error", Location(), "All wrong.", evidence=evidence, id=1)

    told = json.loads(to_json_text([(record, Diagnosis((finding,)))]))

    assert [each["value"] for each in told["findings"][0]["evidence"]] == ["nan", "inf", "-inf"]


def test_advice_alone_is_healthy(broken):
    record, diagnosis = broken[0]

    told = to_json([(record, Diagnosis(diagnosis.advice))])

    assert told["verdict"] == "healthy"
    assert len(told["findings"]) == 1


def test_text_is_ascii_and_whole(healthy):
    text = to_json_text(healthy)

    assert text.isascii()
    assert text.endswith("}\n")
    assert json.loads(text)["findings"] == []


def test_ranks_are_one_run(ranks):
    told = to_json(ranks)

    assert told["run"]["operations"] == 2 * 48211
    assert told["run"]["steps"] == 40
    assert told["run"]["ranks"] == [0, 1]
    assert [each["ranks"] for each in told["findings"]] == [[0, 1]] * 5
