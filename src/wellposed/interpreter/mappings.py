"""Which file each stretch of this process's memory comes from, and which functions lie where."""

from __future__ import annotations

import bisect
import ctypes
import functools
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from wellposed import _native

_SUFFIX = re.compile(r"(\.(cold|part|constprop|isra|lto_priv|localalias)(\.\d+)?)+$")
"""What GCC appends to the names of the pieces it cuts a function into."""


@dataclass(frozen=True, slots=True)
class Place:
    """The machine code at an address."""

    module: str
    """Path of the file; "" for code made at run time, such as a JIT compiler's; "[vdso]" for the kernel's."""
    symbol: str | None
    """The function that contains the address; None where the file does not tell."""
    is_python: bool
    """Whether it is the interpreter itself: its executable or shared library."""


@dataclass(frozen=True, slots=True)
class _Mapping:
    start: int
    end: int
    offset: int
    path: str


def _mappings() -> list[_Mapping]:
    found = []
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            words = line.rstrip("\n").split(maxsplit=5)
            start, _, end = words[0].partition("-")
            found.append(_Mapping(int(start, 16), int(end, 16), int(words[2], 16), words[5] if len(words) > 5 else ""))
    return found


def _find(mappings: list[_Mapping], address: int) -> _Mapping | None:
    at = bisect.bisect_right(mappings, address, key=lambda each: each.start) - 1
    return mappings[at] if at >= 0 and address < mappings[at].end else None


@functools.lru_cache(maxsize=1)
def _runtime_address() -> int:
    try:
        return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    except (ValueError, AttributeError):
        return 0


def runtime_range() -> tuple[int, int]:
    """Start and end of the memory that holds the interpreter's state and its locks; (0, 0) where it is not found."""
    address = _runtime_address()
    if not address:
        return 0, 0
    mappings = _mappings()
    at = _find(mappings, address)
    if at is None:
        return 0, 0
    # The data of one file may lie in several mappings next to each other; its zeroed part has no path.
    end = at.end
    for each in mappings:
        if each.start == end and each.path in (at.path, ""):
            end = each.end
    return address, end


def python_files() -> set[str]:
    """The executable and, where it is built as one, the shared library that hold the interpreter."""
    files = {os.path.realpath(sys.executable)}
    api = ctypes.cast(ctypes.pythonapi.PyThreadState_Get, ctypes.c_void_p).value or 0
    mapping = _find(_mappings(), api)
    return files | ({os.path.realpath(mapping.path)} if mapping and mapping.path else set())


@dataclass(frozen=True, slots=True)
class Map:
    """What the addresses of a run were."""

    places: dict[int, Place]
    full_symbols: bool
    """Whether the interpreter's files name all their functions: they are not stripped."""


def locate(addresses: Iterable[int]) -> Map:
    """The functions at `addresses`, read from the files' own tables; a file that cannot be read gives no names."""
    mappings = _mappings()
    python = python_files()
    by_file: dict[str, list[tuple[int, int]]] = {}
    places: dict[int, Place] = {}
    for address in set(addresses):
        mapping = _find(mappings, address)
        path = mapping.path if mapping else ""
        places[address] = Place(path, None, os.path.realpath(path) in python if path.startswith("/") else False)
        if mapping and path.startswith("/"):
            by_file.setdefault(path, []).append((address, address - mapping.start + mapping.offset))
    full = True
    for path, wanted in by_file.items():
        try:
            complete, _, names = _native.elf_symbols(path, [offset for _, offset in wanted])
        except RuntimeError:
            complete, names = False, [""] * len(wanted)
        is_python = os.path.realpath(path) in python
        full = full and (complete or not is_python)
        for (address, _), name in zip(wanted, names, strict=True):
            places[address] = Place(path, _SUFFIX.sub("", name) if name else None, is_python)
    return Map(places, full)
