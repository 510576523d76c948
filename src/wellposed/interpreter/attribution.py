"""Charges a sample to one cause: bytecode instruction × C function × machine instruction. Pure functions."""

from __future__ import annotations

import os
import re

from wellposed.interpreter.causes import (
    BOXING,
    CALLS,
    COLLECTION,
    INTERPRETATION,
    NATIVE,
    REFERENCES,
    TYPING,
    UNATTRIBUTED,
)
from wellposed.interpreter.functions import ALLOCATION, EVALUATION, cause_of_function
from wellposed.interpreter.instructions import counts_references, guards_type, reads_boxed_float
from wellposed.interpreter.mappings import Place
from wellposed.interpreter.opcodes import family, is_lookup

_LIBRARIES = (
    (re.compile(r"openblas|mkl|blis|libblas|lapack|accelerate", re.I), "BLAS"),
    (re.compile(r"libtorch|libc10|torch/lib|torch/_C|libcudnn|libcublas|libdnnl", re.I), "PyTorch"),
    (re.compile(r"/numpy/|_multiarray_umath", re.I), "NumPy"),
    (re.compile(r"libgomp|libiomp|libomp", re.I), "OpenMP"),
    (re.compile(r"/lib(c|m|mvec|pthread|dl|rt|stdc\+\+|gcc_s)[-.]|/ld-|\[vdso\]"), "C library"),
    (re.compile(r"/lib-dynload/"), "Python's C modules"),
)
BUILT_IN = "built-in functions"
CONTAINERS = "built-in containers"
GENERATED = "code compiled at run time"


def library_of(place: Place) -> str:
    """The library that native code belongs to, as a user would call it."""
    if not place.module:
        return GENERATED
    for pattern, name in _LIBRARIES:
        if pattern.search(place.module):
            return name
    return os.path.basename(place.module)


def attribute(place: Place, opcode: str, collecting: bool, before: bytes, after: bytes) -> tuple[str, str]:
    """The cause, and for native work the library (else "").

    `opcode` is the specialised name of the running bytecode instruction, "" where there is none; `before` and `after`
    are the machine code on both sides of the sampled address. Of a stripped interpreter only the instruction in
    the bytecode is known.
    """
    if not place.is_python:
        return _outside(place, opcode, collecting)
    if collecting:
        return COLLECTION, ""
    kind = family(opcode) if opcode else UNATTRIBUTED
    if place.symbol is None:
        return _charge(kind, CONTAINERS)
    if EVALUATION.fullmatch(place.symbol):
        if counts_references(before, after):
            return REFERENCES, ""
        if guards_type(before, after):
            return TYPING, ""
        if reads_boxed_float(before, after):
            return BOXING, ""
        if is_lookup(opcode):
            return TYPING, ""
        return (CALLS if kind == CALLS else INTERPRETATION), ""
    cause = cause_of_function(place.symbol)
    if cause in (COLLECTION, CALLS) or (cause == BOXING and ALLOCATION.fullmatch(place.symbol)):
        return cause, ""
    if kind == CALLS:
        return NATIVE, CONTAINERS if cause == NATIVE else BUILT_IN
    if is_lookup(opcode):
        return TYPING, ""
    if cause is not None:
        return _charge(cause, CONTAINERS)
    return (kind, "") if kind in (BOXING, TYPING) else (UNATTRIBUTED, "")


def _charge(cause: str, library: str) -> tuple[str, str]:
    return cause, library if cause == NATIVE else ""


def _outside(place: Place, opcode: str, collecting: bool) -> tuple[str, str]:
    """Machine code that is not the interpreter's own: the C library works for whatever bytecode called for it."""
    library = library_of(place)
    if library != "C library":
        return NATIVE, library
    if collecting:
        return COLLECTION, ""
    if place.symbol is not None and ALLOCATION.fullmatch(place.symbol):
        return (BOXING, "") if opcode else (NATIVE, library)
    kind = family(opcode) if opcode else NATIVE
    return (BOXING, "") if kind == BOXING and "libm" not in place.module else (NATIVE, library)
