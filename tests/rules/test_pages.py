"""Every rule's page is true: its example fires the rule, what it says to do instead does not, and both compute the
same where nothing goes wrong.

The two programs of a page may define ``compute`` and ``safe`` (its arguments: a tensor, or a tuple); then both are
compared in float64, and the ``compute`` of the second must be finite on whatever the first one called its own with.
A rule file may say ``CHANGES_MEANING = True`` where the fix changes what is computed, by a clamp or an epsilon.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

from tests.rules.running import IN_SHADOW, run_program
from wellposed.findings import RegisteredRule, all_rules

RULES = all_rules()
EXACT, BIASED = 1e-6, 1e-3
ONLY_A_SYMPTOM = -2
"""Rules of this specificity tell what follows from a fault: their example has the fault itself for a root."""

every_rule = pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.rule.name)


def module_of(entry: RegisteredRule) -> Any:
    return sys.modules[entry.check.__module__]


@every_rule
def test_the_file_is_named_after_the_rule(entry: RegisteredRule) -> None:
    assert entry.check.__module__.rsplit(".", 1)[1] == entry.rule.name.replace("-", "_")


@every_rule
def test_the_page_is_told_in_four_parts(entry: RegisteredRule) -> None:
    page = entry.page
    for part in (page.title, page.sees, page.why, page.example, page.instead):
        assert part.strip()
    assert entry.rule.summary and not entry.rule.summary.endswith(".")


@every_rule
def test_the_example_fires_exactly_this_rule(entry: RegisteredRule, tmp_path: Path) -> None:
    ran = run_program(entry.page.example_program, tmp_path, IN_SHADOW)
    assert entry.rule.name in ran.rules, ran.told()
    if entry.rule.specificity > ONLY_A_SYMPTOM:
        assert set(ran.root_rules) <= {entry.rule.name}, ran.told()


@every_rule
def test_what_to_do_instead_is_silent(entry: RegisteredRule, tmp_path: Path) -> None:
    ran = run_program(entry.page.instead_program, tmp_path, IN_SHADOW)
    assert ran.error is None, ran.told()
    assert not ran.roots and entry.rule.name not in ran.rules, ran.told()


@every_rule
def test_both_programs_compute_the_same(entry: RegisteredRule) -> None:
    example, instead = run(entry.page.example_program), run(entry.page.instead_program)
    if "compute" not in example or "compute" not in instead:
        pytest.skip("the page compares no function")
    tolerance = BIASED if getattr(module_of(entry), "CHANGES_MEANING", False) else EXACT
    wide = [value.double() if is_floating(value) else value for value in as_tuple(example["safe"])]
    expected, got = example["compute"](*wide), instead["compute"](*wide)
    torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance * 1e-3, check_dtype=False)


@every_rule
def test_the_fix_bears_the_bad_input(entry: RegisteredRule) -> None:
    instead = run(entry.page.instead_program)
    arguments = arguments_of_compute(entry.page.example_program)
    if arguments is None or "compute" not in instead:
        pytest.skip("the page compares no function")
    assert torch.isfinite(instead["compute"](*arguments)).all()


def test_each_family_of_codes_stays_in_its_own_range() -> None:
    for entry in RULES:
        family = entry.check.__module__.split(".")[2]
        assert entry.rule.code.startswith({"order": "O1", "numerics": "N2", "interpreter": "P3"}[family])


def run(program: str, file: str = "<page>") -> dict[str, Any]:
    """The namespace that the program leaves behind; the exception that a NaN makes it raise is none of ours."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    torch.manual_seed(0)
    with contextlib.suppress(RuntimeError, ValueError, AssertionError):
        exec(compile(program, file, "exec"), namespace)
    return namespace


def arguments_of_compute(program: str) -> list[Any] | None:
    """What the program called its ``compute`` with the first time; None where it has none."""
    calls: list[list[Any]] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name == "compute" and code.co_filename == "<page>":
            values = [frame.f_locals[name] for name in code.co_varnames[: code.co_argcount]]
            calls.append([value.detach().clone() if isinstance(value, torch.Tensor) else value for value in values])

    sys.setprofile(watch)
    try:
        run(program)
    finally:
        sys.setprofile(None)
    return calls[0] if calls else None


def as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def is_floating(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()
