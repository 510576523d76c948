"""Running the catalogue's forms, and writing them with the user's own names.

Only code of the catalogue is ever executed. A user's text is put into a form as text, for reading.
"""

from __future__ import annotations

import ast
import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

from wellposed.rewrites.entry import LIBRARIES, Rewrite, assigned_names, free_names

_IMPORTS = {
    "torch": {"torch": "torch", "F": "torch.nn.functional"},
    "numpy": {"np": "numpy", "scipy": "scipy"},
}
"""The names that forms use, and the modules they stand for."""


def compile_form(rewrite: Rewrite, library: str = "torch", form: str = "stable") -> Callable[..., Any]:
    """A function of the rewrite's variables, by keyword, that computes one of its forms.

    The library is imported at the first call. Raises KeyError where the rewrite has no such form for this library.
    """
    code = _form(rewrite, library, form)
    tree = ast.parse(code)
    *statements, last = tree.body
    if not isinstance(last, ast.Expr):
        raise ValueError(f"the {form} form of {rewrite.name} does not end with an expression")
    before = compile(ast.Module(statements, type_ignores=[]), f"<{rewrite.name}>", "exec")
    value = compile(ast.Expression(last.value), f"<{rewrite.name}>", "eval")
    missing = free_names(code)

    def run(**bindings: Any) -> Any:
        names: dict[str, Any] = {"math": math}
        for name, module in _IMPORTS[library].items():
            if name in missing:
                names[name] = importlib.import_module(module)
        if "scipy" in names:
            importlib.import_module("scipy.special")
        names.update(bindings)
        exec(before, names)
        return eval(value, names)

    run.__name__ = rewrite.name.replace("-", "_")
    return run


def stable_code(rewrite: Rewrite, names: Mapping[str, str], library: str = "torch") -> str:
    """The stable form with the user's expressions for its variables, where `names` has them.

    A local name of the form that the user's expressions use already gets an underscore. Raises KeyError where the
    rewrite has no stable form for this library.
    """
    code = _form(rewrite, library, "stable")
    replacements = {}
    for name, text in names.items():
        try:
            replacements[name] = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            continue
    used = {each.id for tree in replacements.values() for each in ast.walk(tree) if isinstance(each, ast.Name)}
    renamed = {name: f"{name}_" for name in assigned_names(code) & used}
    tree = _Named(replacements, renamed).visit(ast.parse(code))
    return ast.unparse(tree)


class _Named(ast.NodeTransformer):
    def __init__(self, replacements: Mapping[str, ast.expr], renamed: Mapping[str, str]):
        self._replacements, self._renamed = replacements, renamed

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._renamed:
            return ast.Name(self._renamed[node.id], node.ctx)
        return self._replacements.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def _form(rewrite: Rewrite, library: str, form: str) -> str:
    if library not in LIBRARIES:
        raise KeyError(f"the libraries are {', '.join(LIBRARIES)}")
    forms = rewrite.stable if form == "stable" else rewrite.unstable
    if library not in forms:
        raise KeyError(f"{rewrite.name} has no {form} form for {library}")
    return forms[library]
