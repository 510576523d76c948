"""Sums samples into shares: by cause, line, function and bytecode instruction."""

from __future__ import annotations

import functools
import inspect
import itertools
import linecache
import os
import site
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import CodeType

from wellposed.interpreter import causes
from wellposed.interpreter.attribution import attribute
from wellposed.interpreter.costs import MACHINE_CODE, OPCODES, SYMBOLS, Costs, PlaceCosts, Share, ThreadCosts
from wellposed.interpreter.instructions import AFTER, BEFORE, IS_DECODED
from wellposed.interpreter.intervals import wilson
from wellposed.interpreter.machine import warnings_of
from wellposed.interpreter.mappings import locate
from wellposed.interpreter.opcodes import call_spans, family, lines_of, opcode_name, owner_of, specialised_opcode
from wellposed.interpreter.sampling import Counted, Samples, read_memory

_MOST_PLACES = 200
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True, slots=True)
class _Charged:
    """A row of samples with what it was charged to."""

    weight: int
    cause: str
    library: str
    opcode: str
    code: CodeType | None
    """The innermost frame of the user's code; the innermost of all where there is none."""
    offset: int
    in_span: bool
    """Whether its instruction stands between the first operand of a call and the call itself."""
    pushed: bool = False
    """Whether it counts as a call only because it hands over an operand or resumes a generator."""


def sum_up(samples: Samples) -> Costs:
    """The costs that the samples tell, without the time spent in this package itself."""
    python = {thread for thread, each in samples.threads.items() if each.is_python}
    rows = [_settled(row) for row in samples.rows if row.thread in python and not _is_ours(row)]
    located = locate(row.address for row in rows)
    window = functools.cache(_window)
    charged = []
    resuming = _resumptions(rows)
    for row in rows:
        opcode = opcode_name(row.opcode)
        place = located.places[row.address]
        before, after = window(row.address) if place.is_python and IS_DECODED else (b"", b"")
        cause, library = attribute(place, opcode, row.collecting, before, after)
        code, offset = _user_frame(row)
        pushed = cause in (causes.INTERPRETATION, causes.REFERENCES) and _hands_over(row, opcode, resuming)
        cause = causes.CALLS if pushed else cause
        in_span = _in_span(row, opcode)
        charged.append(_Charged(row.weight, cause, library, opcode, code, offset, in_span, pushed))
    weight = sum(row.weight for row in rows)
    squared = sum(row.weight_squared for row in rows)
    signals = sum(row.signals for row in rows)
    share = _Sharing(weight, weight**2 / squared if squared else 0.0)
    threads = _threads(samples)
    cpu = sum(each.cpu for each in threads)
    calls = share.of(each.weight for each in charged if each.cause == causes.CALLS and not each.pushed)
    most = share.of(
        each.weight
        for each in charged
        if each.cause == causes.CALLS or (each.in_span and each.cause not in _OF_THE_CALLEE)
    )
    by_cause = share.table(charged, lambda each: each.cause)
    removable = sum(each.share for each in by_cause if each.name in causes.PYTHON_CAUSES)
    return Costs(
        causes=by_cause,
        lines=share.places(charged, _line),
        functions=share.places(charged, _function),
        opcodes=share.places(charged, lambda each: ("", 0, each.opcode) if each.opcode else None),
        native=share.table((each for each in charged if each.library), lambda each: each.library),
        calls_range=(calls, most),
        threads=threads,
        tier=MACHINE_CODE if not samples.frames_known else SYMBOLS if located.full_symbols else OPCODES,
        warnings=warnings_of(samples, threads, signals, cpu),
        samples=signals,
        wall_seconds=samples.wall,
        cpu_seconds=cpu,
        native_thread_seconds=sum(each.cpu for each in samples.threads.values() if not each.is_python),
        python=share.named("Python", removable),
    )


def _settled(row: Counted) -> Counted:
    """With frames that stand at an inline cache moved to the instruction that owns it."""
    frames = tuple((code, owner_of(code, offset) if code else offset) for code, offset in row.frames)
    if frames == row.frames:
        return row
    code, offset = frames[0]
    moved = code is not None and offset != row.frames[0][1]
    return replace(row, frames=frames, opcode=specialised_opcode(code, offset) if moved and code else row.opcode)


class _Sharing:
    """Turns weights into shares of the whole."""

    def __init__(self, total: int, independent: float) -> None:
        self._total = total
        self._independent = independent

    def of(self, weights: Iterable[int]) -> float:
        return sum(weights) / self._total if self._total else 0.0

    def named(self, name: str, share: float) -> Share:
        share = min(1.0, share)
        return Share(name, share, *wilson(share, self._independent))

    def table(self, rows: Iterable[_Charged], name: Callable[[_Charged], str]) -> tuple[Share, ...]:
        weights: dict[str, int] = defaultdict(int)
        for row in rows:
            weights[name(row)] += row.weight
        ordered = sorted(weights.items(), key=lambda item: -item[1])
        return tuple(self.named(each, weight / self._total) for each, weight in ordered)

    def places(
        self, rows: Iterable[_Charged], key: Callable[[_Charged], tuple[str, int, str] | None]
    ) -> tuple[PlaceCosts, ...]:
        weights: dict[tuple[str, int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for row in rows:
            place = key(row)
            if place is not None:
                weights[place][row.cause] += row.weight
        ordered = sorted(weights.items(), key=lambda item: -sum(item[1].values()))
        found = []
        for (file, line, function), by_cause in ordered[:_MOST_PLACES]:
            shares = {cause: weight / self._total for cause, weight in sorted(by_cause.items(), key=lambda i: -i[1])}
            source = linecache.getline(file, line).strip() if line else ""
            found.append(PlaceCosts(file, line, function, source, self.named("", sum(shares.values())), shares))
        return tuple(found)


def _line(row: _Charged) -> tuple[str, int, str] | None:
    if row.code is None:
        return None
    line = lines_of(row.code).get(max(0, row.offset), row.code.co_firstlineno)
    return row.code.co_filename, line, _name(row.code)


def _function(row: _Charged) -> tuple[str, int, str] | None:
    return (row.code.co_filename, row.code.co_firstlineno, _name(row.code)) if row.code else None


def _name(code: CodeType) -> str:
    return str(getattr(code, "co_qualname", code.co_name))


def _window(address: int) -> tuple[bytes, bytes]:
    """Machine code before and from `address` on."""
    code = read_memory(address - BEFORE, BEFORE + AFTER)
    return code[:BEFORE], code[BEFORE:]


_OF_THE_CALLEE = (causes.NATIVE, causes.COLLECTION, causes.UNATTRIBUTED)
"""What a callee does is no part of calling it."""


def _in_span(row: Counted, opcode: str) -> bool:
    if opcode and family(opcode) == causes.CALLS:
        return True
    code, offset = row.frames[0] if row.frames else (None, 0)
    return code is not None and offset in call_spans(code).whole


def _resumptions(rows: Iterable[Counted]) -> set[tuple[CodeType, int]]:
    """Instructions that were seen with a generator's frame directly inside them."""
    found = set()
    for row in rows:
        for (inner, _), (outer, offset) in itertools.pairwise(row.frames):
            if inner is not None and outer is not None and inner.co_flags & inspect.CO_GENERATOR:
                found.add((outer, offset))
    return found


def _hands_over(row: Counted, opcode: str, resuming: set[tuple[CodeType, int]]) -> bool:
    """Whether the instruction passes the callable or an argument to a call, or resumes a generator."""
    code, offset = row.frames[0] if row.frames else (None, 0)
    if code is None:
        return False
    return offset in call_spans(code).pushes or (opcode.startswith("FOR_ITER") and (code, offset) in resuming)


def _is_ours(row: Counted) -> bool:
    """Whether it fell into this package, before or after what is observed."""
    codes = [code for code, _ in row.frames if code is not None]
    return (
        bool(codes) and codes[0].co_filename.startswith(_OWN) and all(_is_library(each.co_filename) for each in codes)
    )


@functools.lru_cache(maxsize=1)
def _library_folders() -> tuple[str, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.update(site.getsitepackages() if hasattr(site, "getsitepackages") else [])
    folders.update(os.path.join(prefix, "lib") for prefix in (sys.prefix, sys.base_prefix))
    return tuple(os.path.join(folder, "") for folder in folders if folder)


@functools.lru_cache(maxsize=4096)
def _is_library(file: str) -> bool:
    return file.startswith(("<frozen ", _OWN, *_library_folders()))


def _user_frame(row: Counted) -> tuple[CodeType | None, int]:
    known: list[tuple[CodeType, int]] = [(code, offset) for code, offset in row.frames if code is not None]
    mine = next((each for each in known if not _is_library(each[0].co_filename)), None)
    return mine or (known[0] if known else (None, 0))


def _threads(samples: Samples) -> tuple[ThreadCosts, ...]:
    found = []
    for each in samples.threads.values():
        if each.is_python:
            waiting = each.interpreter_wait
            found.append(
                ThreadCosts(each.name, each.wall, each.cpu, each.queued, waiting, max(0.0, each.blocked - waiting))
            )
    return tuple(sorted(found, key=lambda thread: -thread.cpu))
