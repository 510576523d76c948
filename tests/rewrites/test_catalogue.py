"""The catalogue as data: mistakes are told with their place, forms are written with the user's names."""

from __future__ import annotations

import ast
import math

import pytest
import torch

from wellposed.rewrites import CatalogueError, UnknownRewriteError, all_rewrites, compile_form, find, stable_code
from wellposed.rewrites.catalogue import read

GOOD = """
[name]
title = "a title"
cause = "cancellation"
what = "why"
pattern = "exp(x) - 1"
unstable.torch = "torch.exp(x) - 1"
stable.torch = "torch.expm1(x)"
exact = "expm1(x)"
input = { x = "t" }
t = [1e-9, 1.0]
when = "x is {limit} or less"
sources = ["a book"]
"""


def test_the_catalogue_is_large() -> None:
    assert len(all_rewrites()) >= 100
    assert len({rewrite.family for rewrite in all_rewrites()}) >= 8


def test_a_good_entry_is_read() -> None:
    (rewrite,) = read(GOOD, "family")
    assert (rewrite.name, rewrite.family, rewrite.t) == ("name", "family", (1e-9, 1.0))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "a title"', 'titel = "a title"', r"family.toml: \[name\]: unknown key 'titel'; did you mean 'title'"),
        ('exact = "expm1(x)"\n', "", "exact missing"),
        ('"cancellation"', '"cancelation"', "cause 'cancelation' is none of"),
        ("exp(x) - 1", "expp(x) - 1", "there is no operator 'expp'"),
        ('pattern = "exp(x) - 1"\n', "", "give a pattern, or say in `unmatched`"),
        ("t = [1e-9, 1.0]", "t = [1.0, 1e-9]", r"t is \[smallest, largest\]"),
        ("t = [1e-9, 1.0]\n", "", "give t = .* or an input that is `fine`"),
        ("torch.expm1(x)", "torch.expm1(y)", "stable.torch uses y, which is no variable"),
        ("torch.expm1(x)", "torch.expm1(x", "stable.torch: .*never closed"),
        ("stable.torch", "stable.tensorflow", "stable.tensorflow: the libraries are torch, numpy"),
        ("sources = ", "fails.float32 = { limit = 1 }\nsources = ", "fails.float32 holds `loses`"),
        ("sources = ", 'dtypes = ["half"]\nsources = ', "dtypes: 'half' is none of"),
        ("[name]", "[name", "no valid TOML"),
        ("[name]", "stray = 1\n[name]", "stray stands outside a table"),
        ('title = "a title"', "title = 1", "title is a int, not a str"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(CatalogueError, match=words):
        read(GOOD.replace(old, new), "family")


def test_an_unknown_name_suggests_the_nearest() -> None:
    assert find(" Log-of-Softmax ").name == "log-of-softmax"
    with pytest.raises(UnknownRewriteError, match="did you mean log-of-softmax"):
        find("log-of-softmaxx")


def test_the_users_names_are_filled_in() -> None:
    code = stable_code(find("log-of-softmax"), {"x": "self.head(hidden) / 2"})
    assert code == "torch.log_softmax(self.head(hidden) / 2, -1)"


def test_precedence_survives_filling_in() -> None:
    code = stable_code(find("difference-of-squares"), {"a": "u + 1", "b": "v - w"})
    given = {name: torch.tensor(float(k)) for k, name in enumerate("uvw", 2)}
    u, v, w = 2.0, 3.0, 4.0
    assert float(eval(code, {}, given)) == (u + 1) ** 2 - (v - w) ** 2


def test_a_name_of_the_form_does_not_capture_the_users() -> None:
    code = stable_code(find("norm-overflow"), {"x": "largest"})
    names = {"torch": torch, "largest": torch.tensor([3.0, 4.0])}
    *statements, last = ast.parse(code).body
    exec(compile(ast.Module(statements, []), "<form>", "exec"), names)
    assert isinstance(last, ast.Expr)
    assert float(eval(compile(ast.Expression(last.value), "<form>", "eval"), names)) == 5.0


def test_what_is_not_known_keeps_its_name() -> None:
    assert stable_code(find("logaddexp-by-hand"), {"a": "u"}, "numpy") == "np.logaddexp(u, b)"


def test_a_form_runs_and_leaves_its_arguments_alone() -> None:
    given = torch.tensor([-1e-8, -2.0])
    before = given.clone()
    result = compile_form(find("log1mexp"))(x=given)
    assert math.isclose(float(result[0]), -18.420681, rel_tol=1e-6)
    assert torch.equal(given, before)


def test_a_library_without_a_form_is_a_clear_error() -> None:
    with pytest.raises(KeyError, match="no stable form for numpy"):
        compile_form(find("norm-gradient-at-zero"), "numpy")
