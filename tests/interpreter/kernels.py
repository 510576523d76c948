"""Small programs whose chief cost is known beforehand: one operation, repeated until nothing else counts."""

from __future__ import annotations

import dis
from collections.abc import Callable

import numpy

from wellposed.interpreter import causes


def no_operations() -> None:
    """Bytecode that does nothing; no object is touched."""


_CODE = no_operations.__code__
_NOTHING = bytes([dis.opmap["NOP"], 0])
# Behind RESUME, the first instruction.
no_operations.__code__ = _CODE.replace(co_code=_CODE.co_code[:2] + _NOTHING * 20_000 + _CODE.co_code[2:])


def float_loop() -> None:
    x = 1.5
    for _ in (None,) * 10_000:
        y = x * x
        z = y - x
        y = z * z
        z = y + x
        y = z - x
        z = y * x


def _nothing() -> None:
    pass


def small_calls() -> None:
    for _ in (None,) * 10_000:
        _nothing()
        _nothing()
        _nothing()
        _nothing()


_SHUFFLED = [(i * 7919) % 100_003 for i in range(100_003)]


def sort() -> None:
    sorted(_SHUFFLED)


_MATRIX = numpy.ones((300, 300))


def matrix_product() -> None:
    _MATRIX @ _MATRIX


def cyclic_garbage() -> None:
    for _ in (None,) * 3_000:
        a: list[object] = []
        b: list[object] = [a]
        a.append(b)


class _A:
    __slots__ = ("x",)

    def __init__(self) -> None:
        self.x = None


class _B(_A):
    pass


class _C(_B):
    pass


class _D:
    x = None


_MIXED = [_A(), _B(), _C(), _D()] * 500


def attribute_lookups() -> None:
    """One place, many types: no inline cache holds."""
    for each in _MIXED:
        each.x  # noqa: B018
        each.x  # noqa: B018
        each.x  # noqa: B018
        each.x  # noqa: B018


def string_building() -> None:
    for i in (11, 22, 33, 44) * 1_000:
        f"{i}:{i}"
        f"{i}-{i}"


_KEYS = [f"key{i}" for i in range(20_000)]


def dictionary() -> None:
    table = {}
    for key in _KEYS:
        table[key] = None
    for key in _KEYS:
        key in table  # noqa: B015
    table.update(dict.fromkeys(_KEYS))


def big_integers() -> None:
    x = 3**400
    for _ in (None,) * 300:
        y = x * x
        y - x
        y // x


def list_append() -> None:
    out: list[None] = []
    append = out.append
    for each in (None,) * 20_000:
        append(each)
        append(each)


def _count() -> object:
    for at in (None,) * 20_000:  # noqa: UP028
        yield at


def generator() -> None:
    for _ in _count():
        pass


_LARGE = numpy.linspace(0.0, 1.0, 100_000)


def elementwise() -> None:
    numpy.sqrt(_LARGE * _LARGE + 1.0)


KERNELS: dict[Callable[[], None], str] = {
    no_operations: causes.INTERPRETATION,
    float_loop: causes.BOXING,
    small_calls: causes.CALLS,
    sort: causes.NATIVE,
    matrix_product: causes.NATIVE,
    cyclic_garbage: causes.COLLECTION,
    attribute_lookups: causes.TYPING,
    string_building: causes.BOXING,
    dictionary: causes.NATIVE,
    big_integers: causes.BOXING,
    list_append: causes.CALLS,
    generator: causes.CALLS,
    elementwise: causes.NATIVE,
}
"""Each with the cause that must come first."""
