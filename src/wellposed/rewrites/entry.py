"""What one entry of the catalogue is, and how a table of TOML becomes one: every mistake is told with its place."""

from __future__ import annotations

import ast
import builtins
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wellposed.rewrites.pattern import Pattern, PatternError, parse

DTYPES = ("bfloat16", "float16", "float32", "float64", "uint8", "int32", "int64")
LIBRARIES = ("torch", "numpy")
CAUSES = (
    "division-by-small", "unstable-function", "float16-range", "low-precision-update", "epsilon", "cancellation",
    "low-precision-accumulation",
)  # fmt: skip
_MODULES = frozenset({"torch", "F", "np", "math", "scipy"})
_REQUIRED = ("title", "cause", "what", "unstable", "stable", "exact", "input", "when", "sources")
_KINDS: dict[str, tuple[type, ...]] = {
    "title": (str,), "cause": (str,), "what": (str,), "pattern": (str, list), "unmatched": (str,),
    "unstable": (dict,), "stable": (dict,), "exact": (str,), "stable_exact": (str,), "input": (dict,), "fine": (dict,),
    "t": (list,), "when": (str,), "of": (str,), "changes_meaning": (str,), "keeps": (int, float), "dtypes": (list,),
    "fails": (dict,), "sources": (list,), "rules": (list,),
}  # fmt: skip


class CatalogueError(ValueError):
    """An entry of the catalogue is malformed; the message names the file, the entry and the key."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an unstable form fails in one dtype."""

    dtype: str
    limit: float | None
    """The t from which fewer than half of the dtype's digits are left; None where `Rewrite.input` has no t."""
    beyond: str
    """``above`` or ``below`` the limit; empty where there is none."""
    within: float
    """The limit is known up to this factor: rounding makes some losses ragged."""
    at: float | None
    """The t of the failing input that was tried; None where `Rewrite.input` has no t."""
    loses: float
    """Decimal digits lost there, of those the dtype holds."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An unstable formula and its stable form."""

    name: str
    family: str
    """The file of the catalogue that holds it."""
    title: str
    cause: str
    """One of the causes of a finding."""
    what: str
    """Why it fails, in a few sentences."""
    patterns: tuple[Pattern, ...]
    """Graphs that are this formula; empty where it cannot be told from a graph, as `unmatched` says."""
    pattern_texts: tuple[str, ...]
    unmatched: str
    unstable: Mapping[str, str]
    """Code by library, ``torch`` and ``numpy``."""
    stable: Mapping[str, str]
    exact: str
    """What both mean, over exact numbers: a formula for the tests' oracle (mpmath)."""
    stable_exact: str
    """What the stable form means where that is something else, as `changes_meaning` says; else the same as `exact`."""
    input: Mapping[str, str]
    """Expressions by variable, over t where the failure has a threshold."""
    fine: Mapping[str, str]
    """An input that the unstable form handles well, where there is no t."""
    t: tuple[float, float] | None
    """Where the threshold was searched."""
    when: str
    """When it fails, in words, with ``{limit}`` for the threshold."""
    of: str
    """``value``, or ``gradient`` where the derivative fails and the value does not."""
    changes_meaning: str
    """What the stable form does differently on purpose; empty where it means the same."""
    keeps: float | None
    """Digits the stable form keeps at the failing inputs; None: all but one of the dtype's."""
    dtypes: tuple[str, ...]
    fails: tuple[Failure, ...]
    sources: tuple[str, ...]
    rules: tuple[str, ...]
    """Rules of ``wellposed run`` that find it."""
    variables: tuple[str, ...] = field(default=())
    """What the forms compute from."""

    def failure(self, dtype: str) -> Failure | None:
        """How it fails in this dtype, or None where it does not (or is not known to)."""
        return next((failure for failure in self.fails if failure.dtype == dtype), None)


def entry(name: str, table: Mapping[str, Any], family: str) -> Rewrite:
    """The entry that a TOML table describes. Raises CatalogueError."""
    place = f"{family}.toml: [{name}]"
    _check_keys(table, place)
    if table["cause"] not in CAUSES:
        raise CatalogueError(f"{place}: cause {table['cause']!r} is none of {', '.join(CAUSES)}")
    if bool(table.get("pattern")) == bool(table.get("unmatched")):
        raise CatalogueError(f"{place}: give a pattern, or say in `unmatched` why a graph cannot show it; not both")
    if bool(table.get("t")) == bool(table.get("fine")):
        raise CatalogueError(f"{place}: give t = [smallest, largest] or an input that is `fine`; not both")
    if bool(table.get("stable_exact")) and not table.get("changes_meaning"):
        raise CatalogueError(
            f"{place}: with stable_exact, say in changes_meaning what the stable form does differently"
        )
    of = table.get("of", "value")
    if of not in ("value", "gradient"):
        raise CatalogueError(f"{place}: `of` is value or gradient, not {of!r}")
    texts = table.get("pattern", [])
    texts = [texts] if isinstance(texts, str) else texts
    patterns = tuple(_pattern(text, place) for text in texts)
    names = tuple(table["input"])
    for form in ("unstable", "stable"):
        _check_forms(table[form], form, names, place)
    if set(table.get("fine", names)) != set(names):
        raise CatalogueError(f"{place}: `fine` and `input` name different variables")
    return Rewrite(
        name=name, family=family, title=table["title"], cause=table["cause"], what=table["what"].strip(),
        patterns=patterns, pattern_texts=tuple(texts), unmatched=table.get("unmatched", ""),
        unstable=dict(table["unstable"]), stable=dict(table["stable"]), exact=table["exact"],
        stable_exact=table.get("stable_exact", table["exact"]), input=dict(table["input"]),
        fine=dict(table.get("fine", {})), t=_range(table.get("t"), place), when=table["when"], of=of,
        changes_meaning=table.get("changes_meaning", ""), keeps=table.get("keeps"),
        dtypes=tuple(table.get("dtypes", ("bfloat16", "float16", "float32", "float64"))),
        fails=tuple(_failure(name, table["fails"][name], place) for name in DTYPES if name in table.get("fails", {})),
        sources=tuple(table["sources"]), rules=tuple(table.get("rules", ())), variables=names,
    )  # fmt: skip


def _check_keys(table: Mapping[str, Any], place: str) -> None:
    for key, value in table.items():
        if key not in _KINDS:
            near = difflib.get_close_matches(key, _KINDS, n=1)
            raise CatalogueError(f"{place}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            raise CatalogueError(f"{place}: {key} is a {type(value).__name__}, not a {_KINDS[key][0].__name__}")
    missing = [key for key in _REQUIRED if not table.get(key)]
    if missing:
        raise CatalogueError(f"{place}: {', '.join(missing)} missing")
    for key, known in (("dtypes", DTYPES), ("fails", DTYPES)):
        wrong = [name for name in table.get(key, ()) if name not in known]
        if wrong:
            raise CatalogueError(f"{place}: {key}: {wrong[0]!r} is none of {', '.join(known)}")


def _check_forms(forms: Mapping[str, Any], form: str, names: tuple[str, ...], place: str) -> None:
    for library, code in forms.items():
        if library not in LIBRARIES:
            raise CatalogueError(f"{place}: {form}.{library}: the libraries are {', '.join(LIBRARIES)}")
        try:
            free = free_names(code)
        except SyntaxError as error:
            raise CatalogueError(f"{place}: {form}.{library}: {error.msg}") from None
        stray = sorted(free - set(names) - _MODULES - set(dir(builtins)))
        if stray:
            raise CatalogueError(f"{place}: {form}.{library} uses {', '.join(stray)}, which is no variable of `input`")


def free_names(code: str) -> set[str]:
    """Names that a piece of code reads and does not define. Raises SyntaxError."""
    nodes = list(ast.walk(ast.parse(code)))
    named = [node for node in nodes if isinstance(node, ast.Name)]
    return {node.id for node in named} - assigned_names(code)


def assigned_names(code: str) -> set[str]:
    """Names that a piece of code gives a value to. Raises SyntaxError."""
    return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _pattern(text: object, place: str) -> Pattern:
    try:
        return parse(str(text))
    except PatternError as error:
        raise CatalogueError(f"{place}: pattern {text!r}: {error}") from None


def _range(value: Any, place: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if len(value) != 2 or not all(isinstance(end, (int, float)) for end in value) or not 0 < value[0] < value[1]:
        raise CatalogueError(f"{place}: t is [smallest, largest], both above 0")
    return float(value[0]), float(value[1])


def _failure(dtype: str, table: Any, place: str) -> Failure:
    keys = {"above", "below", "within", "at", "loses"}
    if not isinstance(table, dict) or table.keys() - keys or "loses" not in table:
        raise CatalogueError(f"{place}: fails.{dtype} holds `loses` and, with t, `above` or `below`, `within`, `at`")
    beyond = next((side for side in ("above", "below") if side in table), "")
    limit = float(table[beyond]) if beyond else None
    return Failure(dtype, limit, beyond, float(table.get("within", 1.0)), table.get("at"), float(table["loses"]))
