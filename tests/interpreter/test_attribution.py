"""What one sample is charged to, without sampling."""

from __future__ import annotations

import dis
import math
import sys

import pytest

from wellposed.interpreter import causes
from wellposed.interpreter.attribution import GENERATED, attribute
from wellposed.interpreter.instructions import counts_references, guards_type, reads_boxed_float
from wellposed.interpreter.intervals import wilson
from wellposed.interpreter.mappings import Place
from wellposed.interpreter.opcodes import call_spans

LOOP = Place("/usr/lib/libpython3.11.so", "_PyEval_EvalFrameDefault", True)
STRIPPED = Place("/usr/lib/libpython3.11.so", None, True)


def function(name: str) -> Place:
    return Place("/usr/lib/libpython3.11.so", name, True)


@pytest.mark.parametrize(
    ("place", "opcode", "collecting", "cause"),
    [
        (LOOP, "LOAD_FAST", False, causes.INTERPRETATION),
        (LOOP, "CALL_PY_EXACT_ARGS", False, causes.CALLS),
        (LOOP, "LOAD_ATTR_INSTANCE_VALUE", False, causes.TYPING),
        (LOOP, "LOAD_FAST", True, causes.COLLECTION),
        (function("PyFloat_FromDouble"), "BINARY_OP_ADD_FLOAT", False, causes.BOXING),
        (function("x_mul"), "BINARY_OP", False, causes.BOXING),
        (function("PyNumber_Multiply"), "BINARY_OP", False, causes.TYPING),
        (function("list_sort_impl"), "PRECALL_NO_KW_METHOD_DESCRIPTOR_FAST", False, causes.NATIVE),
        (function("dict_traverse"), "BUILD_MAP", False, causes.COLLECTION),
        (function("_PyFunction_Vectorcall"), "CALL", False, causes.CALLS),
        (function("who_knows"), "NOP", False, causes.UNATTRIBUTED),
        (STRIPPED, "BINARY_OP_ADD_FLOAT", False, causes.BOXING),
        (STRIPPED, "", False, causes.UNATTRIBUTED),
        (Place("/x/numpy/_multiarray_umath.so", None, False), "CALL", False, causes.NATIVE),
        (Place("/usr/lib/libc.so.6", "malloc", False), "BUILD_LIST", False, causes.BOXING),
    ],
    ids=str,
)
def test_cause(place: Place, opcode: str, collecting: bool, cause: str) -> None:
    assert attribute(place, opcode, collecting, b"", b"")[0] == cause


def test_code_made_at_run_time_is_native() -> None:
    assert attribute(Place("", None, False), "CALL", False, b"", b"") == (causes.NATIVE, GENERATED)


# Encodings as the GNU assembler gives them.
@pytest.mark.parametrize(
    ("text", "code", "counts", "guards", "unboxes"),
    [
        ("subq $1,(%rdi)", "48832f01", True, False, False),
        ("addq $1,(%r15)", "49830701", True, False, False),
        ("cmp %rdx,8(%r15)", "49395708", False, True, False),
        ("cmp 8(%rax),%rcx", "483b4808", False, True, False),
        ("mulsd 16(%rdi),%xmm0", "f20f594710", False, False, True),
        ("movsd 16(%r14),%xmm0", "f2410f104610", False, False, True),
        ("add $1,%rax", "4883c001", False, False, False),
        ("sub $8,(%rdi)", "48832f08", False, False, False),
        ("cmp %rdx,16(%r15)", "49395710", False, False, False),
        ("jmp *%rdx", "ffe2", False, False, False),
    ],
)
def test_machine_instruction(text: str, code: str, counts: bool, guards: bool, unboxes: bool) -> None:
    at, filler = bytes.fromhex(code), b"\x90" * 8
    assert counts_references(filler, at + filler) == counts == counts_references(filler + at, filler), text
    assert guards_type(filler, at + filler) == guards == guards_type(filler + at, filler), text
    assert reads_boxed_float(filler, at + filler) == unboxes == reads_boxed_float(filler + at, filler), text


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the bytecode of 3.11 is spelled out")
def test_operands_of_an_expression_within_a_call_are_not_the_calls_own() -> None:
    code = compile("def f(g, a, b, c):\n    return g(a * b, c)", "x", "exec").co_consts[0]
    names = {each.offset: (each.opname, each.argrepr) for each in dis.get_instructions(code)}
    spans = call_spans(code)
    assert {names[at] for at in spans.pushes if at in names} >= {("LOAD_FAST", "g"), ("LOAD_FAST", "c")}
    assert not {("LOAD_FAST", "a"), ("LOAD_FAST", "b")} & {names[at] for at in spans.pushes if at in names}
    assert {("LOAD_FAST", "a"), ("LOAD_FAST", "b")} <= {names[at] for at in spans.whole if at in names}


def test_interval_is_wilsons() -> None:
    """R: prop.test(10, 50, correct = FALSE)$conf.int"""
    assert wilson(0.2, 50) == pytest.approx((0.1124, 0.3304), abs=1e-4)
    assert wilson(0.0, 0) == (0.0, 1.0)
    assert all(math.isfinite(each) for each in wilson(1.0, 3))
