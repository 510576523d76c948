"""Runs NumPy operations beside themselves in a reference and measures what each did to the digits.

`before` and `after` stand around an operation of the program's; whoever sees the operations calls them (a wrapper of
arrays, an instrumented script). The program's objects are only read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wellposed.shadow.numpy_calls import NOTHING_TO_FOLLOW, Call, opened
from wellposed.shadow.numpy_dtypes import Array, as_array, is_floating, name_of, unit_roundoff
from wellposed.shadow.numpy_flips import follow_the_program
from wellposed.shadow.numpy_measure import (
    PRODUCTS,
    cancelled_bits,
    difference,
    digits_from,
    norm,
    relative,
    significant,
    terms_of,
)
from wellposed.shadow.numpy_places import user_place
from wellposed.shadow.numpy_quiet import quietly
from wellposed.shadow.numpy_reference import Reference
from wellposed.shadow.numpy_rows import Place, Row, Table
from wellposed.shadow.numpy_store import Found, Store, root_of
from wellposed.shadow.numpy_tape import Step, Tape, Write
from wellposed.shadow.numpy_trees import floating_parts
from wellposed.shadow.result import DIGITS_OF, Significant

LIMIT = 0.05
"""Estimated relative error of a reference from which it is no judge: about one digit is left in it."""
MOST_CONDITION = 1e300
MOST_WORK = 30_000_000
"""Multiplications in extended precision that one operation may take: about 0.1 s."""


@dataclass(slots=True)
class Engine:
    """An observer of NumPy operations; see `before` and `after`."""

    reference: Reference = field(default_factory=Reference)
    place: Callable[[], Place] = field(default_factory=user_place)
    store: Store = field(init=False)
    tape: Tape = field(default_factory=Tape)
    table: Table = field(init=False)
    dtypes: set[str] = field(default_factory=set)
    taken_out: dict[int, Any] = field(default_factory=dict)
    """Numbers that left what is followed, by id, until they come back: what else becomes of them nobody sees."""
    executed: int = 0

    def __post_init__(self) -> None:
        self.store = Store(self.reference)
        self.table = Table(self.place)

    def before(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Call:
        """What `after` needs to know of a call that is about to happen.

        `function` is a ufunc, a method of one, a function of NumPy's, `math`'s, `operator`'s or Python's, or a method
        of an array, bound or not; arguments are the program's own objects. Nothing in them is changed.
        """
        with quietly():
            return opened(self, function, args, kwargs or {})

    def after(self, call: Call, result: Any, operation: object = None) -> None:
        """Measure the call that `before` announced, now that it returned `result`.

        `operation` is what a recorder calls it; it plays no part here.
        """
        if call.refused:
            if call.refused != NOTHING_TO_FOLLOW and call.inputs and floating_parts(result):
                self.table.skip(call.operation.name, call.refused)
            return
        outputs = list(call.operation.writes) or floating_parts(result)
        if not outputs and call.operation.kind not in ("comparing", "choosing", "rounding"):
            return
        if outputs and not call.operation.writes and all(self._is_view(call, output) for output in outputs):
            return
        with quietly():
            try:
                self._follow(call, outputs, result)
            except NotImplementedError as error:
                self.table.skip(call.operation.name, str(error))
                for output in outputs:
                    self._forget(output)

    # --- one call ---

    def _is_view(self, call: Call, output: Any) -> bool:
        if not isinstance(output, np.ndarray):
            return any(output is given for given in call.inputs)
        root = root_of(output)
        return any(
            isinstance(given, np.ndarray) and given.dtype == output.dtype and root_of(given) is root
            for given in call.inputs
        )

    def _forget(self, output: Any) -> None:
        if is_floating(output):
            lifted = self.reference.lift(as_array(output))
            self._share(output, lifted)

    def _follow(self, call: Call, outputs: list[Any], result: Any) -> None:
        self.executed += 1
        operation, reference = call.operation, self.reference
        self.dtypes.update(name_of(value) for value in outputs)
        shared = follow_the_program(self, call, outputs, result)
        if shared is not None:
            for output, shadow in zip(outputs, shared, strict=True):
                self._share(output, shadow)
            return
        if _work(operation.name, call.lifted, outputs) > MOST_WORK and any(
            np.asarray(each).dtype in (np.longdouble, object) for each in call.lifted
        ):
            raise NotImplementedError("too much to repeat in numbers that no processor multiplies fast")
        run = call.in_reference(reference)
        exact = run(call.lifted)
        if len(exact) != len(outputs):
            raise NotImplementedError("its results are not those of its counterpart")
        true = exact if call.is_clean else run(call.shadows)
        best = None if call.is_clean or operation.kind == "carrying" else call.with_best_inputs(outputs)
        writes = []
        for index, output in enumerate(outputs):
            low = as_array(output)
            shadow, near = _shaped(true[index], low.shape), _shaped(exact[index], low.shape)
            rounding = difference(low, near)
            error = rounding if call.is_clean else difference(low, shadow)
            off = relative(error, shadow)
            self._measure(call, output, shadow, near, rounding, error, best[index] if best else None, run)
            if not isinstance(output, np.ndarray) and any(output is given for given in call.inputs):
                return  # a number that was handed back keeps the shadow that it has
            found = self.store.put(output, shadow, call.uncertainty)
            found.entry.off = found.view, off
            added = rounding if norm(rounding) else None
            writes.append(Write(found.entry.number, found.view, found.shadow, found.entry.shadow, added, error))
        shapes = [write.shadow.shape for write in writes]

        def again(inputs: list[Array]) -> list[Array]:
            return [_shaped(part, shape) for part, shape in zip(run(inputs), shapes, strict=True)]

        self.tape.add(Step(call.row.group if call.row is not None else -1, again, call.reads, writes))

    def _measure(
        self,
        call: Call,
        output: Any,
        shadow: Array,
        near: Array,
        rounding: Array,
        error: Array,
        best: Array | None,
        run: Callable[[list[Array]], list[Array]],
    ) -> None:
        added = relative(rounding, shadow)
        if call.operation.kind == "carrying" and added == 0:
            call.uncertainty = call.worst_uncertainty
            return
        dtype = name_of(output)
        row = call.row = self.table.row(call.operation.name, dtype)
        inherited = 0.0 if call.is_clean else relative(near - shadow, shadow)
        formula = added if best is None else relative(difference(best, shadow), shadow)
        amplification = inherited / call.worst_input if call.worst_input > 0 else 0.0
        bits = cancelled_bits(call.operation.name, call.shadows, shadow, dtype, lambda parts: run(parts)[0])
        condition = max(1.0, min(amplification, MOST_CONDITION), min(formula, 1.0) / unit_roundoff(dtype), 2.0**bits)
        roundoff = self.reference.unit_roundoff(shadow)
        call.uncertainty = min(condition * max(call.worst_uncertainty, roundoff), 1.0)
        digits = significant(error, shadow, dtype)
        _update(row, shadow.size, added, formula, inherited, amplification, bits, call, digits, dtype)
        row.limited = row.limited or call.uncertainty > LIMIT

    def _share(self, output: Any, shadow: Array) -> None:
        """Keep a shadow that is the program's own choice, whatever happened before it."""
        found = self.store.put(output, _shaped(shadow, np.shape(output)), 0.0)
        error = difference(as_array(output), found.shadow)
        write = Write(found.entry.number, found.view, found.shadow, found.entry.shadow, None, error)
        self.tape.add(Step(-1, None, [], [write]))

    # --- what is known of a value ---

    def digits_of(self, value: Any) -> tuple[Found, Array, Significant]:
        """The shadow of a value, how far the value is from it, and its digits."""
        with quietly():
            found = self.store.find(value)
            error = difference(as_array(value), found.shadow)
            return found, error, significant(error, found.shadow, name_of(value))


def _work(name: str, operands: list[Array], outputs: list[Any]) -> float:
    """Multiplications of a product or a solution of equations; 0 for what takes no more than its elements."""
    sizes = [float(np.size(each)) for each in operands]
    elements = float(sum(np.size(each) for each in outputs))
    if name == "einsum" and len(sizes) > 2:
        return math.prod(sizes) ** 0.75  # between the best order and one pass over all indices
    if name in PRODUCTS:
        return terms_of(name, operands, int(elements)) * elements
    return max(sizes, default=0.0) ** 1.5 if name in _CUBIC else 0.0


_CUBIC = frozenset({"solve", "inv", "det", "slogdet", "cholesky", "matrix_power", "pinv", "linalg.solve", "linalg.inv"})


def _shaped(shadow: Any, shape: tuple[int, ...]) -> Array:
    shaped: Array = np.asarray(shadow)
    if shaped.shape != shape:
        try:
            return np.asarray(np.broadcast_to(shaped, shape))
        except ValueError:
            raise NotImplementedError("its result has another shape than its counterpart's") from None
    return shaped


def _update(
    row: Row,
    elements: int,
    added: float,
    formula: float,
    inherited: float,
    amplification: float,
    bits: float,
    call: Call,
    digits: Significant,
    dtype: str,
) -> None:
    row.calls += 1
    row.terms = max(row.terms, terms_of(call.operation.name, call.shadows, elements))
    names = [name for _, name in call.input_errors]
    row.coarsest = min((name for name in (*names, row.coarsest) if name), key=lambda n: DIGITS_OF[n], default="")
    row.elements = max(row.elements, elements)
    row.rounding = max(row.rounding, added)
    row.formula = max(row.formula, formula)
    row.propagated = max(row.propagated, inherited)
    row.amplification = max(row.amplification, amplification)
    row.cancelled_bits = max(row.cancelled_bits, bits)
    worst = min((digits_from(error, name) for error, name in call.input_errors), default=None)
    if worst is not None:
        row.digits_in = worst if row.digits_in is None else min(row.digits_in, worst)
    if row.digits is None or (digits.normwise, digits.worst) < (row.digits.normwise, row.digits.worst):
        row.digits, row.dtype = digits, dtype
