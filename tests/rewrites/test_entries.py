"""Every entry of the catalogue against mpmath: it fails where it says, and its stable form does not."""

from __future__ import annotations

import pytest

from tests.rewrites import proving
from tests.rewrites.tracing import traced
from wellposed.findings import CAUSES, all_rules
from wellposed.rewrites import Failure, Rewrite, all_rewrites, compile_form, forms_for, source
from wellposed.rewrites.entry import CAUSES as KNOWN_CAUSES

ENTRIES = all_rewrites()
FAILURES = [
    pytest.param(rewrite, failure, library, id=f"{rewrite.name}-{failure.dtype}-{library}")
    for rewrite in ENTRIES
    for failure in rewrite.fails
    for library in proving.libraries(rewrite, failure.dtype)
]
_SLACK = 0.15
"""Digits by which kernels of another processor may differ."""


@pytest.mark.parametrize(("rewrite", "failure", "library"), FAILURES)
def test_the_unstable_form_loses_the_digits_it_says(rewrite: Rewrite, failure: Failure, library: str) -> None:
    left = proving.left(rewrite, "unstable", failure.at, failure.dtype, library)
    assert left <= proving.DIGITS[failure.dtype] - failure.loses + _SLACK


@pytest.mark.parametrize(("rewrite", "failure", "library"), FAILURES)
def test_the_stable_form_keeps_them(rewrite: Rewrite, failure: Failure, library: str) -> None:
    if library in rewrite.stable:
        left = proving.left(rewrite, "stable", failure.at, failure.dtype, library)
        assert left >= proving.keeps(rewrite, failure.dtype) - _SLACK


@pytest.mark.parametrize(
    ("rewrite", "failure"),
    [pytest.param(r, failure, id=f"{r.name}-{failure.dtype}") for r in ENTRIES for failure in r.fails],
)
def test_the_limit_is_one(rewrite: Rewrite, failure: Failure) -> None:
    """Beyond it fewer than half of the digits are left, before it more."""
    library = next(proving.libraries(rewrite, failure.dtype))
    if failure.limit is None:
        fine = proving.left(rewrite, "unstable", None, failure.dtype, library, fine=True)
        assert proving.fails(rewrite, None, failure.dtype, library)
        assert fine >= proving.DIGITS[failure.dtype] / 2
        return
    factor = failure.within if failure.beyond == "above" else 1 / failure.within
    assert proving.fails(rewrite, failure.limit * factor, failure.dtype, library)
    assert not proving.fails(rewrite, failure.limit / factor, failure.dtype, library)


@pytest.mark.parametrize("rewrite", ENTRIES, ids=lambda each: each.name)
def test_every_entry_is_complete(rewrite: Rewrite) -> None:
    assert {failure.dtype for failure in rewrite.fails} == set(rewrite.dtypes)
    assert all(failure.loses > 0.3 for failure in rewrite.fails)
    assert all(failure.at is not None for failure in rewrite.fails if rewrite.t)
    assert ("{limit}" in rewrite.when) == (rewrite.t is not None)
    assert set(rewrite.rules) <= {entry.rule.name for entry in all_rules()}
    # A form that is given for a library can be compared with the unstable one there, or the other way round.
    assert set(rewrite.unstable) <= set(rewrite.stable)


def test_causes_are_those_of_findings() -> None:
    assert set(KNOWN_CAUSES) <= set(CAUSES)


MATCHED = [rewrite for rewrite in ENTRIES if rewrite.patterns]
IN_SOURCE = [
    pytest.param(rewrite, library, id=f"{rewrite.name}-{library}")
    for rewrite in MATCHED
    for library in rewrite.unstable
]


@pytest.mark.parametrize("rewrite", [r for r in MATCHED if "torch" in r.unstable], ids=lambda each: each.name)
def test_what_torch_runs_is_matched_by_no_other_pattern_before(rewrite: Rewrite) -> None:
    failure = rewrite.fails[0]
    # At an input that it handles: where it fails, it may end in an error before the last operator.
    t = failure.limit and failure.limit * (1 / failure.within if failure.beyond == "above" else failure.within)
    given = proving.arrays(proving.values(rewrite, t, fine=t is None), failure.dtype, "torch")
    nodes = traced(compile_form(rewrite, "torch", "unstable"), given)
    assert any(rewrite in forms_for(node) for node in nodes[-60:])


@pytest.mark.parametrize(("rewrite", "library"), IN_SOURCE)
def test_the_source_is_matched(rewrite: Rewrite, library: str) -> None:
    *before, last = rewrite.unstable[library].strip().split("\n")
    text = "\n".join(["def compute():", *(f"    {line}" for line in before), f"    return {last}"])
    found = [each for line in range(2, len(before) + 3) for each in source.matches_on(text, line)]
    assert rewrite in [each.match.rewrite for each in found]


HAVING_STABLE = [rewrite for rewrite in MATCHED if rewrite.stable]
SAME_GRAPH = {
    "cube-in-half-precision",
    "cube-root-by-power",
    "exponential-in-half-precision",
    "fractional-power-at-zero",
    "fully-masked-softmax",
    "gaussian-divergence-near-prior",
    "gaussian-nll-at-zero-variance",
    "generalised-mean",
    "inverse-root-of-variance",
    "log-of-guarded-zero",
    "log1mexp",
    "mean-squared-error-in-half-precision",
    "norm-overflow",
    "norm-underflow",
    "pairwise-distance-by-product",
    "prefix-sum-in-half-precision",
    "quotient-then-mask",
    "root-mean-square-overflow",
    "sine-of-large-argument",
    "single-sample-deviation",
    "small-weight-update",
    "square-root-at-zero",
    "sum-in-half-precision",
    "two-by-two-determinant",
    "where-after-exponential",
    "where-after-logarithm",
    "where-after-square-root",
}
"""Entries whose stable form holds the same graph and differs by what a graph of values does not show: a dtype, an
option, the branch that a `where` guards, the range of an operand. Whoever offers a rewrite has to look at
the values first."""


@pytest.mark.parametrize("rewrite", HAVING_STABLE, ids=lambda each: each.name)
def test_the_stable_form_is_not_taken_for_the_unstable_one(rewrite: Rewrite) -> None:
    taken = []
    for code in rewrite.stable.values():
        *before, last = code.strip().split("\n")
        text = "\n".join(["def compute():", *(f"    {line}" for line in before), f"    return {last}"])
        found = [each for line in range(2, len(before) + 3) for each in source.matches_on(text, line)]
        taken += [rewrite in [each.match.rewrite for each in found]]
    assert any(taken) == (rewrite.name in SAME_GRAPH)
