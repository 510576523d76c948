"""Functions by address: read from ELF, compared with the dynamic linker's and with nm's own answers."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wellposed import _native
from wellposed.interpreter.mappings import locate

pytestmark = pytest.mark.skipif(not _native.SAMPLER, reason="no ELF on this platform")


def address_of(name: str) -> int:
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0


@pytest.mark.parametrize("name", ["PyFloat_FromDouble", "PyList_Append", "PyObject_GetAttr"])
def test_an_exported_function_is_found_at_its_first_byte_and_within(name: str) -> None:
    first = address_of(name)
    places = locate([first, first + 4]).places
    assert places[first].symbol == places[first + 4].symbol == name
    assert places[first].is_python


def test_memory_without_a_file_has_no_name() -> None:
    here = ctypes.create_string_buffer(16)
    place = locate([ctypes.addressof(here)]).places[ctypes.addressof(here)]
    assert place.symbol is None
    assert not place.is_python


@pytest.mark.skipif(not (shutil.which("cc") and shutil.which("strip")), reason="no compiler")
def test_a_stripped_file_gives_no_name_rather_than_the_nearest(tmp_path: Path) -> None:
    source = tmp_path / "two.c"
    source.write_text(
        "static __attribute__((noinline)) int hidden(int x){return x*7;}\nint shown(int x){return hidden(x)+1;}"
    )
    library = tmp_path / "two.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    listing = subprocess.run(["nm", library], check=True, capture_output=True, text=True).stdout
    at = {words[2]: int(words[0], 16) for words in map(str.split, listing.splitlines()) if len(words) == 3}
    # In so small a library, the code's segment lies at the same offset in the file and in memory.
    offsets = [at["hidden"], at["shown"]]
    full, build_id, names = _native.elf_symbols(str(library), offsets)
    assert (full, names) == (True, ["hidden", "shown"])
    subprocess.run(["strip", library], check=True)
    stripped, same_id, names = _native.elf_symbols(str(library), offsets)
    assert (stripped, names) == (False, ["", "shown"])
    assert same_id == build_id


@pytest.mark.parametrize("content", [b"", b"not ELF" * 20, b"\x7fELF\x02\x01\x01" + b"\xff" * 300])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.so"
    path.write_bytes(content)
    with pytest.raises(RuntimeError):
        _native.elf_symbols(str(path), [0])


def test_every_cut_of_a_real_file_is_refused_or_read(tmp_path: Path) -> None:
    whole = Path(os.path.realpath(sys.executable)).read_bytes()
    path = tmp_path / "cut"
    for size in (1, 63, 64, 100, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        try:
            _native.elf_symbols(str(path), [0x1000])
        except RuntimeError:
            continue
