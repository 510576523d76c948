"""The causes that time in a Python program is charged to, and what each means."""

from __future__ import annotations

INTERPRETATION = "interpretation"
TYPING = "dynamic typing"
BOXING = "boxed numbers and objects"
REFERENCES = "reference counting"
COLLECTION = "garbage collection"
CALLS = "calls"
NATIVE = "native work"
UNATTRIBUTED = "unattributed"

MEANINGS = {
    INTERPRETATION: "fetching bytecode, jumping to its code, moving operands: compiled code has none of it",
    TYPING: "finding out what a value is and which function adds, compares or looks up: static types know it before",
    BOXING: "a number or object is allocated on the heap, read through a pointer and freed: 4 or 8 bytes in a register",
    REFERENCES: "each use of an object writes its count, and so touches its memory: deterministic destruction needs none",
    COLLECTION: "searching for garbage in reference cycles",
    CALLS: "frames, arguments, return: compiled calls are inlined or take a few instructions",
    NATIVE: "compiled code at work: built-in functions and containers, NumPy, BLAS, PyTorch",
    UNATTRIBUTED: "the sample does not tell",
}
"""In the order in which they are explained; every sample has exactly one."""

PYTHON_CAUSES = (INTERPRETATION, TYPING, BOXING, REFERENCES, COLLECTION, CALLS)
"""What would not be there in compiled code."""
