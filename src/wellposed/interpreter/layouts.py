"""Where each version of CPython keeps the running frame: constants, checked against this interpreter before use."""

from __future__ import annotations

import dis
import gc
import platform
import sys
import sysconfig
import types
from typing import Any, TypeAlias

from wellposed import _native

Layout: TypeAlias = dict[str, int]

CODE_TYPE = id(types.CodeType)

_LAYOUTS: dict[tuple[int, int], Layout] = {
    (3, 11): {
        "through_cframe": 1,
        "thread_frame": 56,
        "cframe_frame": 8,
        "frame_code": 32,
        "frame_previous": 48,
        "frame_instruction": 56,
        "frame_owner": 69,
        "code_instructions": 184,
        "thread_interpreter": 16,
        "interpreter_collecting": 848,
    },
    (3, 12): {
        "through_cframe": 1,
        "thread_frame": 56,
        "cframe_frame": 0,
        "frame_code": 0,
        "frame_previous": 8,
        "frame_instruction": 56,
        "frame_owner": 70,
        "code_instructions": 192,
        "thread_interpreter": 16,
        "interpreter_collecting": 312,
    },
    (3, 13): {
        "through_cframe": 0,
        "thread_frame": 72,
        "cframe_frame": 0,
        "frame_code": 0,
        "frame_previous": 8,
        "frame_instruction": 56,
        "frame_owner": 70,
        "code_instructions": 200,
        "thread_interpreter": 16,
        "interpreter_collecting": 7600,
    },
}
"""Bytes from the start of PyThreadState, _PyCFrame, _PyInterpreterFrame, PyCodeObject and PyInterpreterState, as the
headers of each version lay them out on 64-bit Linux. Bug-fix releases keep them; the self-test tells where not."""


class LayoutError(Exception):
    """This interpreter keeps its frames elsewhere than its version says; the message is one sentence."""


def find_layout() -> Layout | None:
    """The layout of this interpreter, after its self-test; None for a version, build or system that has no table.

    Raises LayoutError where there is a table and it is wrong.
    """
    if not _native.SAMPLER or platform.python_implementation() != "CPython":
        return None
    if sysconfig.get_config_var("Py_GIL_DISABLED") or hasattr(sys, "gettotalrefcount"):
        return None
    layout = _LAYOUTS.get(sys.version_info[:2])
    if layout is not None:
        _check(layout)
    return layout


def _check(layout: Layout) -> None:
    """Compare what the tables read here with what the interpreter itself says of the same frames and the collector."""
    if not _native.sampler_guarded_reads_work():
        raise LayoutError("this system does not let a process read its own memory (process_vm_readv)")

    def inner() -> tuple[Any, types.CodeType]:
        return _native.sampler_observe_here(layout, CODE_TYPE), sys._getframe().f_code

    (opcode, collecting, frames), code = inner()
    mine = [id(code), id(_check.__code__)]
    if [at for at, _ in frames[:2]] != mine or collecting or opcode < 0 or not _is_the_call(code, frames[0][1]):
        raise LayoutError(f"this build of Python {platform.python_version()} keeps its frames in an unknown place")
    if not _collector_is_seen(layout):
        raise LayoutError(f"this build of Python {platform.python_version()} keeps its collector in an unknown place")


def _is_the_call(code: types.CodeType, offset: int) -> bool:
    """Whether `offset` stands at the first call in `code`."""
    calls = [each.offset for each in dis.get_instructions(code) if each.opname == "CALL"]
    return bool(calls) and offset == calls[0]


def _collector_is_seen(layout: Layout) -> bool:
    """Whether the flag that garbage is being collected reads true from within a collection."""
    seen: list[bool] = []

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            seen.append(_native.sampler_observe_here(layout, CODE_TYPE)[1])

    # The youngest generation alone: the program's own objects stay as old as they are.
    Cycle()
    gc.collect(0)
    return seen == [True]
