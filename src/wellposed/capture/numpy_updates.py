"""Which statements of a NumPy program speak of its training: losses and hand-written updates. Pure: syntax alone."""

from __future__ import annotations

import ast
import re
from typing import Final

_LOSS: Final = re.compile(r"(^|_)(loss(es)?|costs?|nll|mse|rmse|objective|energy_loss)(_|$)|^J$", re.IGNORECASE)
_HISTORY: Final = re.compile(r"(^|_)hist(ory)?$", re.IGNORECASE)
_RATE: Final = re.compile(r"^(lr|eta|alpha|rate|gamma0|step_?size|learn(ing)?_?rate)$|_lr$|^lr_|learning_?rate", re.I)


def loss_named(node: ast.expr, *, history: bool = False) -> str | None:
    """The name that a value is given, where that reads like a loss; with `history`, that of a list of losses too."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
    if name is None or not (_LOSS.search(name) or (history and _HISTORY.search(name))):
        return None
    return name


def update_of(node: ast.Assign | ast.AugAssign) -> tuple[str, ast.expr] | None:
    """The name of the variable and the rate, where the statement is ``w -= lr * …`` or ``w = w - lr * …``.

    The rate is a fresh expression to read it by, a name or an attribute of a name.
    """
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    if not isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)):
        return None
    step: ast.expr = node.value
    if isinstance(node, ast.Assign):
        if not isinstance(step, ast.BinOp) or ast.unparse(step.left) != ast.unparse(target):
            return None
        operator, step = step.op, step.right
    else:
        operator = node.op
    if not isinstance(operator, (ast.Sub, ast.Add)):
        return None
    rate = _rate_in(step)
    return None if rate is None else (ast.unparse(target), rate)


def _rate_in(step: ast.expr) -> ast.expr | None:
    """The factor of a product that reads like a learning rate, copied."""
    waiting = [step]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            waiting += [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            waiting.append(node.operand)
        elif isinstance(node, ast.Name) and _RATE.search(node.id):
            return ast.copy_location(ast.Name(node.id, ast.Load()), node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and _RATE.search(node.attr):
            owner = ast.copy_location(ast.Name(node.value.id, ast.Load()), node.value)
            return ast.copy_location(ast.Attribute(owner, node.attr, ast.Load()), node)
    return None
