"""The shapes of the arrays in a ``.npz`` file, from their headers alone: no array is loaded, nothing is unpickled."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

_MOST_ARRAYS = 1_000_000


class NpzError(ValueError):
    """The file is no archive of arrays; the message is one sentence."""


def shapes(file: str | Path) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of each array, in the order of the file. Raises NpzError, and OSError where it cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if not members:
                raise NpzError(f"{file} holds no arrays")
            if len(members) > _MOST_ARRAYS:
                raise NpzError(f"{file} holds more than {_MOST_ARRAYS:,} arrays")
            return [(member.filename.removesuffix(".npy"), _shape(archive, member, file)) for member in members]
    # The latter two from damaged entries of the archive's directory.
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise NpzError(f"{file} is no .npz file: {error}") from error


def _shape(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: str | Path) -> tuple[int, ...]:
    try:
        with archive.open(member) as stream:
            return _header_shape(stream)
    # What damaged archives and headers raise in zipfile and in numpy's reader of headers.
    except (
        EOFError, NotImplementedError, RuntimeError, SyntaxError, TypeError, ValueError, tokenize.TokenError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise NpzError(f"{file}: the header of {member.filename} cannot be read ({what})") from error


def _header_shape(stream: IO[bytes]) -> tuple[int, ...]:
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    if version == (1, 0):
        header = npy.read_array_header_1_0(stream)
    elif version in ((2, 0), (3, 0)):
        # They differ in the encoding of field names, and shapes are plain ASCII.
        header = npy.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the format is not known")
    return tuple(header[0])
