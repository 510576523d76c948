"""Values and places of two runs in a few characters."""

from __future__ import annotations

from wellposed.report.compare.model import Place, Ran, Scalar
from wellposed.report.text import human, plain

NOTHING = "–"
VALUE_LIMIT = 300


def place(place: Place | None) -> str:
    return "" if place is None else f"{plain(place.file)}:{place.line}"


def both_places(a: Place | None, b: Place | None) -> str:
    left, right = place(a), place(b)
    return left if left == right or not right else right if not left else f"{left}, in B {right}"


def shown(value: Scalar) -> str:
    return NOTHING if value is None else plain(value, VALUE_LIMIT) if isinstance(value, str) else human(value)


def both(a: Scalar, b: Scalar) -> tuple[str, str]:
    """With as many digits as it takes to see that they differ."""
    short = shown(a), shown(b)
    if short[0] == short[1] and isinstance(a, float) and isinstance(b, float) and a != b:
        longer = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in (6, 9, 12, 17))
        return next((each for each in longer if each[0] != each[1]), short)
    return short


def apart(relative: float) -> str:
    """``15 %``, ``3.1e-8``."""
    return f"{relative:.2g}".replace("e-0", "e-") if relative < 0.001 else f"{human(float(f'{100 * relative:.2g}'))} %"


def named(ran: Ran) -> str:
    """The operator; or, where only outputs of modules were recorded, the module."""
    return plain(ran.operator) or f"output of {plain(ran.module)}"
