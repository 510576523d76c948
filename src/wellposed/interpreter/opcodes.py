"""Names and families of bytecode instructions, specialised ones included, and the stretches that make up a call."""

from __future__ import annotations

import bisect
import dis
import functools
import opcode as opcode_module
from dataclasses import dataclass
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
_PUSHES = ("LOAD_FAST", "LOAD_CONST", "LOAD_DEREF", "LOAD_CLOSURE", "PUSH_NULL", "COPY")
_NO_OPERANDS = ("PRECALL", "KW_NAMES", "CACHE", "EXTENDED_ARG")
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


@functools.cache
def is_lookup(name: str) -> bool:
    """Whether an instruction of this name finds an attribute or a global."""
    return name.startswith(_LOOKUPS)


@functools.cache
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
def _owners(code: CodeType) -> tuple[int, ...]:
    return tuple(each.offset for each in dis.get_instructions(code))


def owner_of(code: CodeType, offset: int) -> int:
    """The offset of the instruction that `offset` belongs to.

    While a call is under way, its frame stands at the last inline cache behind the instruction.
    """
    owners = _owners(code)
    return owners[max(0, bisect.bisect_right(owners, offset) - 1)] if owners and offset >= 0 else offset


def specialised_opcode(code: CodeType, offset: int) -> int:
    """The number of the instruction at `offset` as it is specialised now; -1 where this interpreter does not tell."""
    running: bytes = getattr(code, "_co_code_adaptive", b"")
    return running[offset] if 0 <= offset < len(running) else -1


@dataclass(frozen=True, slots=True)
class CallSpans:
    """Offsets of bytecode instructions that serve a call."""

    whole: frozenset[int]
    """All that stand between the first operand and the call, what computes an argument included."""
    pushes: frozenset[int]
    """Only what hands over the callable, its arguments and a returned value, or drops an unused result."""


@functools.lru_cache(maxsize=4096)
def call_spans(code: CodeType) -> CallSpans:
    """The stretches of `code` that make up its calls.

    Walks back from each call, keeping on a stack which operands are still to be found and whether they are the call's
    own or those of an expression within it; stops where paths join.
    """
    instructions = [each for each in dis.get_instructions(code) if each.opname not in _NO_OPERANDS]
    whole: set[int] = set()
    pushes: set[int] = set()
    for index, each in enumerate(instructions):
        if each.opname == "RETURN_VALUE" and index and instructions[index - 1].opname.startswith(_PUSHES):
            pushes.add(instructions[index - 1].offset)
        if each.opname == "POP_TOP" and index and instructions[index - 1].opname == "RESUME":
            pushes.add(each.offset)
        if each.opname not in ("CALL", "CALL_FUNCTION_EX", "CALL_KW"):
            continue
        wanted = [True] * ((each.arg or 0) + 2 if each.opname != "CALL_FUNCTION_EX" else 2)
        at = index
        while at > 0 and wanted and not instructions[at].is_jump_target:
            before = instructions[at - 1]
            try:
                argument = before.arg if before.opcode >= opcode_module.HAVE_ARGUMENT else None
                effect = dis.stack_effect(before.opcode, argument, jump=False)
            except ValueError:
                break
            at -= 1
            own = wanted.pop()
            if effect > 1:
                del wanted[max(0, len(wanted) - effect + 1) :]
            wanted.extend([False] * (1 - effect))
            if own and before.opname.startswith(_PUSHES):
                pushes.add(before.offset)
        if index + 1 < len(instructions) and instructions[index + 1].opname == "POP_TOP":
            pushes.add(instructions[index + 1].offset)
        whole.update(range(instructions[at].offset, each.offset + 2, 2))
    return CallSpans(frozenset(whole | pushes), frozenset(pushes))
