"""Names and families of bytecode instructions, specialised ones included, and the stretches that make up a call."""

from __future__ import annotations

import dis
import functools
import opcode as opcode_module
from types import CodeType

from wellposed.interpreter.causes import BOXING, CALLS, INTERPRETATION, NATIVE, TYPING

_CALLS = (
    "CALL", "PRECALL", "INSTRUMENTED_CALL", "RESUME", "RETURN_", "PUSH_NULL", "KW_NAMES", "MAKE_CELL", "MAKE_FUNCTION",
    "COPY_FREE_VARS", "YIELD_VALUE", "SEND", "INTERPRETER_EXIT", "SET_FUNCTION_ATTRIBUTE", "FOR_ITER_GEN",
)  # fmt: skip
_LOOKUPS = ("LOAD_ATTR", "STORE_ATTR", "DELETE_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_SUPER")
_BOXED = ("BINARY_OP_", "BUILD_", "FORMAT_", "CONVERT_VALUE", "UNPACK_SEQUENCE", "BINARY_SLICE", "COMPARE_OP_",
          "LIST_TO_TUPLE")  # fmt: skip
_CONTAINERS = ("BINARY_SUBSCR_", "STORE_SUBSCR_", "LIST_APPEND", "LIST_EXTEND", "SET_ADD", "SET_UPDATE", "MAP_ADD",
               "DICT_", "CONTAINS_OP", "DELETE_SUBSCR")  # fmt: skip
_GENERIC = ("BINARY_OP", "COMPARE_OP", "UNARY_", "BINARY_SUBSCR", "STORE_SUBSCR", "GET_ITER", "IS_OP")


@functools.lru_cache(maxsize=1)
def _names() -> dict[int, str]:
    known = getattr(dis, "_all_opname", None)
    if known is not None:
        return {number: name for number, name in enumerate(known) if not name.startswith("<")}
    names = {number: name for number, name in enumerate(dis.opname) if not name.startswith("<")}
    try:
        import _opcode_metadata  # type: ignore[import-not-found]
    except ImportError:
        return names
    return names | {number: name for name, number in _opcode_metadata._specialized_opmap.items()}


def opcode_name(number: int) -> str:
    """As it stands in the specialised bytecode; "" outside Python."""
    return _names().get(number, f"<{number}>") if number >= 0 else ""


@functools.lru_cache(maxsize=None)
def is_lookup(name: str) -> bool:
    """Whether an instruction of this name finds an attribute or a global."""
    return name.startswith(_LOOKUPS)


@functools.lru_cache(maxsize=None)
def family(name: str) -> str:
    """The cause that an instruction of this name stands for where nothing more is known; NATIVE for containers."""
    if name.startswith(_CALLS):
        return CALLS
    if is_lookup(name):
        return TYPING
    if "ADAPTIVE" in name:
        return TYPING
    if name.startswith(_CONTAINERS):
        return NATIVE
    if name.startswith(_BOXED):
        return BOXING
    if name.startswith(_GENERIC):
        return TYPING
    return INTERPRETATION


@functools.lru_cache(maxsize=4096)
def lines_of(code: CodeType) -> dict[int, int]:
    """The source line of each bytecode instruction, by its offset in bytes.

    Where the compiler names none (a jump back that it made itself), it is that of the instruction before.
    """
    lines: dict[int, int] = {}
    latest = code.co_firstlineno
    for start, end, line in code.co_lines():
        latest = latest if line is None else line
        lines.update(dict.fromkeys(range(start, end, 2), latest))
    return lines


@functools.lru_cache(maxsize=4096)
def call_offsets(code: CodeType) -> frozenset[int]:
    """Offsets of all instructions that serve a call: those that push the callable and its arguments, and the call.

    Walks back from each call as long as the operands on the stack are its own; stops where paths join.
    """
    instructions = list(dis.get_instructions(code))
    found: set[int] = set()
    for index, each in enumerate(instructions):
        if each.opname not in ("CALL", "CALL_FUNCTION_EX", "CALL_KW"):
            continue
        wanted = (each.arg or 0) + 2 if each.opname != "CALL_FUNCTION_EX" else 2
        at = index
        while at > 0 and wanted > 0 and not instructions[at].is_jump_target:
            at -= 1
            before = instructions[at]
            try:
                argument = before.arg if before.opcode >= opcode_module.HAVE_ARGUMENT else None
                wanted -= dis.stack_effect(before.opcode, argument, jump=False)
            except ValueError:
                break
        end = instructions[index + 1].offset if index + 1 < len(instructions) else each.offset + 2
        found.update(range(instructions[at].offset, end, 2))
    return frozenset(found)
