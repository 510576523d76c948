"""What is done when an operator makes a NaN or an infinity: it is looked into on the spot, a few times a place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from wellposed import _native
from wellposed.capture.device_readings import LateTrouble
from wellposed.capture.operators import Operators
from wellposed.capture.probes import makes_nonfinite, probe
from wellposed.record import RecordWriter

_LOOKS_A_PLACE = 3
"""Times that the same operator at the same place is looked into: a fault that repeats every step is known by then."""


class Troubles:
    """Looks into operators that made trouble, and has the recording escalate."""

    def __init__(
        self,
        tape: _native.Tape,
        operators: Operators,
        writer: RecordWriter,
        escalate: Callable[[], None],
        read_operands: Callable[[], None],
    ):
        """`read_operands` asks an accelerator for what the tape could not read of the last operator."""
        self.count = 0
        self._tape = tape
        self._operators = operators
        self._writer = writer
        self._escalate = escalate
        self._read_operands = read_operands
        self._looked: Counter[object] = Counter()
        self._bad_places: set[tuple[str, int]] = set()

    def worth_a_look(self, place: object) -> bool:
        """Enter one more fault at this place; whether it is still among the first few there."""
        self._looked[place] += 1
        return self._looked[place] <= _LOOKS_A_PLACE

    def operator(self, bits: int, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """An operator has just made a NaN or an infinity that its inputs did not hold; or nobody can tell from here."""
        if bits & _native.UNREAD_DEVICE:
            self._read_operands()
            if not bits & ~_native.UNREAD_DEVICE and not self._is_bad_again(func, args, kwargs, out):
                return
        if not self.worth_a_look((id(func), self._tape.last_site)):
            self._bad_places.discard((str(func), self._tape.last_site))
            return
        self.count += 1
        operation = self._tape.last
        with _disable_current_modes(), torch.no_grad():
            facts = probe(func, args, kwargs, out)
        self._writer.add("probe", [(operation, name, json.dumps(value)) for name, value in facts.items()])
        self._escalate()

    def late(self, found: list[LateTrouble]) -> None:
        """Operators whose results lay on an accelerator made a NaN or an infinity; their inputs are gone by now."""
        for operation, operator, site, _bits in found:
            if self.worth_a_look((operator, site)):
                self.count += 1
                self._bad_places.add((self._operators.names[operator], site))
                self._writer.add("probe", [(operation, "seen", json.dumps("when the values came from the device"))])
                self._escalate()

    def _is_bad_again(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> bool:
        """Whether an operator that made trouble on an accelerator does so again: worth waiting for the device."""
        if not self._bad_places or (str(func), self._tape.last_site) not in self._bad_places:
            return False
        with _disable_current_modes(), torch.no_grad():
            return makes_nonfinite(args, kwargs, out)
