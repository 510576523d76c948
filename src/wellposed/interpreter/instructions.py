"""Tells a reference count and a type guard by the machine instruction, inside the interpreter's loop (x86-64 only)."""

from __future__ import annotations

import platform
import re

IS_DECODED = platform.machine() in ("x86_64", "AMD64")
"""Whether machine instructions of this processor are told apart."""
BEFORE = 8
AFTER = 16
"""Bytes to hand in before and from the sampled instruction on."""

_BASE = rb"[\x00-\x03\x06\x07]"
"""ModRM register bits of a plain (register) operand, without displacement."""
# add/sub $1,(reg) with a 64- or 32-bit operand; inc/dec (reg).
_COUNT = rb"(?:[\x48\x49]?(?:\x83[\x00-\x03\x06\x07\x28-\x2b\x2e\x2f]\x01|\xff[\x00-\x03\x06-\x0b\x0e\x0f]))"
# From 3.12 on: load the count, test it for an immortal object or add one, store it.
_COUNT_LOADED = (
    rb"(?:[\x40-\x4f]?\x8b[\x00-\x3f](?:[\x40-\x4f]?\x83[\xc0-\xc7]\x01|[\x40-\x4f]?\xff[\xc0-\xc7]"
    rb"|[\x40-\x4f]?\x85[\xc0-\xff]\x78))"
)
# cmp reg,8(reg), cmp 8(reg),reg, cmp $imm32,8(reg): the type pointer stands second in every object.
_GUARD = (
    rb"(?:[\x48\x49\x4c\x4d][\x39\x3b][\x40-\x43\x45-\x4b\x4d-\x53\x55-\x5b\x5d-\x63\x65-\x6b\x6d-\x73\x75-\x7b\x7d-\x7f]\x08"
    rb"|[\x48\x49]\x81[\x78-\x7b\x7d-\x7f]\x08)"
)

# movsd, addsd, mulsd, subsd, divsd, ucomisd with 16(reg): the number stands third in a float.
_UNBOXING = rb"(?:[\xf2\x66][\x40-\x4f]?\x0f[\x10\x2e\x2f\x58\x59\x5c\x5e][\x40-\x7f]\x10)"

_AT_COUNT = re.compile(_COUNT + rb"|" + _COUNT_LOADED, re.DOTALL)
_AFTER_COUNT = re.compile(_COUNT + rb"\Z", re.DOTALL)
_AT_GUARD = re.compile(_GUARD, re.DOTALL)
_AFTER_GUARD = re.compile(_GUARD + rb"\Z", re.DOTALL)
_AT_UNBOXING = re.compile(_UNBOXING, re.DOTALL)
_AFTER_UNBOXING = re.compile(_UNBOXING + rb"\Z", re.DOTALL)


def counts_references(before: bytes, after: bytes) -> bool:
    """Whether the instruction at the start of `after`, or the one that ends `before` and is waited for, writes a count.

    A processor is interrupted where it waits, so that the jump after a decrement stands for the decrement.
    """
    return bool(_AT_COUNT.match(after) or _AFTER_COUNT.search(before))


def guards_type(before: bytes, after: bytes) -> bool:
    """Whether it compares the type of an object, as `counts_references` looks."""
    return bool(_AT_GUARD.match(after) or _AFTER_GUARD.search(before))


def reads_boxed_float(before: bytes, after: bytes) -> bool:
    """Whether it fetches or uses a float's value on the heap; looks as `counts_references` does."""
    return bool(_AT_UNBOXING.match(after) or _AFTER_UNBOXING.search(before))
