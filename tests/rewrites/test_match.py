"""Patterns and graphs: what fits, and near misses that must not."""

from __future__ import annotations

import pytest

from wellposed.rewrites import forms_for, match, matches_within
from wellposed.rewrites.pattern import PatternError, parse
from wellposed.rewrites.source import expression, matches_on


def names(text: str) -> set[str]:
    return {rewrite.name for rewrite in forms_for(expression(text))}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("torch.log(F.softmax(x, dim=-1))", "log-of-softmax"),
        ("F.softmax(x, dim=-1).log()", "log-of-softmax"),
        ("torch.log(x.exp() / x.exp().sum(-1, keepdim=True))", "log-of-softmax"),
        ("np.log(scipy.special.softmax(x))", "log-of-softmax"),
        ("torch.log(1.0 - torch.sigmoid(x))", "log-of-one-minus-sigmoid"),
        ("torch.log(-torch.sigmoid(x) + 1)", "log-of-one-minus-sigmoid"),
        ("torch.log(torch.sub(1, 1 / (1 + torch.exp(-x))))", "log-of-one-minus-sigmoid"),
        ("(x ** 2).mean() - x.mean() ** 2", "variance-by-moments"),
        ("(x * x).mean() - x.mean() * x.mean()", "variance-by-moments"),
        ("x.pow(2).sum() / n - (x.sum() / n) ** 2", "variance-by-moments"),
        ("np.mean(np.square(x)) - np.mean(x) ** 2", "variance-by-moments"),
        ("torch.sqrt(x.square().mean(0) - x.mean(0).square())", "standard-deviation-by-moments"),
        ("-1 + torch.exp(x)", "exp-minus-one"),
        ("(x + 1).log()", "log-one-plus"),
        ("x * torch.rsqrt((x ** 2).mean(-1, keepdim=True) + 1e-6)", "root-mean-square-overflow"),
        ("x / torch.sqrt(torch.mean(x * x) + 1e-6)", "root-mean-square-overflow"),
        ("math.sqrt(a ** 2 + b ** 2)", "hypotenuse-overflow"),
        ("x / np.linalg.norm(x)", "unit-vector"),
        ("a.float().exp() / a.exp().sum(1)[:, None]", "softmax-by-hand"),
    ],
)
def test_a_formula_is_found_however_it_is_spelled(text: str, name: str) -> None:
    assert name in names(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("torch.log(torch.softmax(x, -1) + y)", "log-of-softmax"),
        ("torch.log_softmax(x, -1)", "log-of-softmax"),
        ("torch.log(x.exp() / y.exp().sum())", "log-of-softmax"),
        ("torch.log(2 - torch.sigmoid(x))", "log-of-one-minus-sigmoid"),
        ("(x ** 2).mean() - y.mean() ** 2", "variance-by-moments"),
        ("(x ** 3).mean() - x.mean() ** 2", "variance-by-moments"),
        ("(x ** 2).mean() + x.mean() ** 2", "variance-by-moments"),
        ("((x - x.mean()) ** 2).mean()", "variance-by-moments"),
        ("torch.expm1(x)", "exp-minus-one"),
        ("torch.exp(x) - 2", "exp-minus-one"),
        ("torch.log1p(x)", "log-one-plus"),
        ("torch.log(10 + x)", "log-one-plus"),
        ("torch.exp(x) / torch.exp(y).sum()", "softmax-by-hand"),
        ("x / x.norm(p=1)", "unit-vector"),
        ("x / (x.norm() + 1e-8)", "unit-vector"),
        ("1 - torch.sin(x)", "one-minus-cosine"),
        ("a * a - b * c", "difference-of-squares"),
        ("x / x.std()", "standardise"),
        ("torch.sqrt(a * a + b * c)", "hypotenuse-overflow"),
        ("(x * m).sum() / n.sum()", "masked-mean"),
        ("torch.log(p + 0.5)", "log-of-guarded-zero"),
        ("(x - x.max()).exp() / (x - x.max()).exp().sum()", "softmax-by-hand"),
        ("torch.exp(x - x.amax(-1, keepdim=True)).sum(-1).log()", "logsumexp-overflow"),
        ("(x - x.max(1)[0]).exp() / (x - x.max(1)[0]).exp().sum()", "softmax-by-hand"),
        ("x.mean()", "mean-by-sum"),
    ],
)
def test_a_near_miss_is_none(text: str, name: str) -> None:
    assert name not in {each.rewrite.name for _, each in matches_within(expression(text))}


def test_the_most_specific_comes_first() -> None:
    found = [each.rewrite.name for each in match(expression("torch.log(1 - torch.exp(x))"))]
    assert set(found[:2]) == {"log1mexp", "log1mexp-of-large"}
    assert "log-one-minus" in found[2:]


def test_variables_are_bound_to_what_they_stand_for() -> None:
    (found, *_) = match(expression("(a - b).exp() - 1"))
    assert getattr(found.bindings["x"], "text", "") == "a - b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("log(", "never closed"),
        ("logg(x)", "no operator 'logg'"),
        ("x if y else z", "no part"),
        ("small(3)", "one name"),
    ],
)
def test_a_malformed_pattern_says_why(text: str, words: str) -> None:
    with pytest.raises(PatternError, match=words):
        parse(text)


SOURCE = """\
import torch

def loss(logits, target, scale):
    p = torch.sigmoid(logits)
    q = 1 - p
    total = 0
    total = total + 1
    value = target * torch.log(p)
    return (torch.log(q)
            * scale)

def other(x):
    e = x.exp()
    for _ in range(3):
        e = e + 1
    return e - 1
"""


def test_local_assignments_are_followed() -> None:
    assert [each.match.rewrite.name for each in matches_on(SOURCE, 8)] == ["log-of-sigmoid"]
    (found,) = [each for each in matches_on(SOURCE, 9) if each.match.rewrite.name == "log-of-one-minus-sigmoid"]
    assert found.text == "torch.log(q)"
    assert found.names == {"x": "logits"}


def test_a_name_that_changes_is_not_followed() -> None:
    assert matches_on(SOURCE, 16) == []


@pytest.mark.parametrize("text", ["def f(:\n  pass", "\0", "", "x = " + "-" * 3 + "1"])
def test_any_text_is_survived(text: str) -> None:
    assert matches_on(text, 1) == []
