"""Reports as JSON values: nothing is lost on the way there and back, and what is none is refused in one sentence."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest

from tests.report.test_digits import GUILTY
from wellposed.shadow.contract import ContractError, from_plain, to_plain


def test_a_report_comes_back_as_it_was() -> None:
    assert from_plain(json.loads(json.dumps(to_plain(GUILTY), allow_nan=False))) == GUILTY


def test_only_the_first_operators_where_a_number_is_given() -> None:
    assert to_plain(GUILTY, 0)["operators"] == []
    assert len(to_plain(GUILTY, 1)["operators"]) == 1


def test_numbers_that_are_none_come_back() -> None:
    values = to_plain(GUILTY)
    values["outputs"][0]["value"] = "nan"
    assert math.isnan(from_plain(values).outputs[0].value)


def test_fields_of_later_versions_are_passed_over() -> None:
    assert from_plain({**to_plain(GUILTY), "weather": "fine"}) == GUILTY


def changed(path: tuple[Any, ...], value: Any) -> Any:
    values = copy.deepcopy(to_plain(GUILTY))
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return values


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        changed(("outputs",), 3),
        changed(("outputs", 0, "name"), None),
        changed(("outputs", 0, "value"), "much"),
        changed(("outputs", 0, "digits"), []),
        changed(("culprits", 0, "operator", "calls"), "many"),
        changed(("culprits", 0, "operator", "where"), "here"),
    ],
)
def test_what_is_no_report_is_refused(values: Any) -> None:
    with pytest.raises(ContractError, match="report"):
        from_plain(values)
