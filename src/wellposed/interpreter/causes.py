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
    INTERPRETATION: "fetching bytecode and moving operands; compiled code does not",
    TYPING: "finding out what a value is and what to call; static types know",
    BOXING: "heap objects made and freed; else 8 bytes in a register",
    REFERENCES: "each use of an object writes its count",
    COLLECTION: "searching for garbage in reference cycles",
    CALLS: "frames, arguments, return; compiled calls are inlined",
    NATIVE: "compiled code at work: built-ins, NumPy, BLAS, PyTorch",
    UNATTRIBUTED: "the sample does not tell",
}
"""In the order in which they are explained; every sample has exactly one."""

PYTHON_CAUSES = (INTERPRETATION, TYPING, BOXING, REFERENCES, COLLECTION, CALLS)
"""What would not be there in compiled code."""
