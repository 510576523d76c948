"""Where in the source an operator was called from. Knows frames and files, no torch."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

_USER, _PLUMBING, _TORCH, _LIBRARY = range(4)

_OWN_FOLDER = str(Path(__file__).resolve().parent.parent) + os.sep
_STANDARD_LIBRARY = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) + os.sep for name in ("stdlib", "platstdlib")}
    | {str(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")}
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_TORCH_FOLDER = f"{os.sep}torch{os.sep}"
_TORCH_PLUMBING = ("_ops.py", "_tensor.py", "nn/modules/module.py", "nn/modules/container.py", "_contextlib.py")

UserFrame = tuple[CodeType, int]


class Sites:
    """Numbers the places that operators were called from.

    Frames are reduced to (code, instruction) while the program runs; lines are looked up once for each place.
    """

    def __init__(self, folder: str, announce: Callable[[tuple[object, ...]], None]):
        """`announce` receives each new place as a row of the record's table ``site``."""
        self._folder = folder
        self._announce = announce
        self._kinds: dict[CodeType, int] = {}
        self._numbers: dict[tuple[CodeType, int, CodeType | None, int], int] = {}
        self.files: set[str] = set()
        """The user's files that a place was seen in, absolute."""

    def here(self, skip: UserFrame | None = None, depth: int = 1) -> int:
        """The number of the calling place; -1 where no frame is the user's, or where the user's frame is `skip`."""
        frame: FrameType | None = sys._getframe(depth)
        kinds = self._kinds
        library: FrameType | None = None
        torch_frame: FrameType | None = None
        while frame is not None:
            code = frame.f_code
            kind = kinds.get(code)
            if kind is None:
                kind = kinds[code] = _kind(code.co_filename)
            if kind == _USER:
                break
            if kind == _LIBRARY:
                if library is None:
                    library = frame
            elif kind == _TORCH and torch_frame is None:
                torch_frame = frame
            frame = frame.f_back
        if frame is None:
            return -1
        if skip is not None and frame.f_code is skip[0] and frame.f_lasti == skip[1]:
            return -1
        beside = library or torch_frame
        if beside is None:
            key = (frame.f_code, frame.f_lasti, None, 0)
        else:
            key = (frame.f_code, frame.f_lasti, beside.f_code, beside.f_lasti)
        number = self._numbers.get(key)
        return number if number is not None else self._enter(key, frame, beside)

    def user_frame(self, depth: int = 1) -> UserFrame | None:
        """The innermost frame of the user's code, to be passed as `skip` later."""
        frame: FrameType | None = sys._getframe(depth)
        while frame is not None and self._kind_of(frame.f_code) != _USER:
            frame = frame.f_back
        return (frame.f_code, frame.f_lasti) if frame is not None else None

    def relative(self, file: str) -> str:
        """`file` relative to the script's folder where it lies under it, else absolute."""
        path = os.path.abspath(file)
        folder = self._folder.rstrip(os.sep) + os.sep
        return path[len(folder) :] if path.startswith(folder) else path

    def _kind_of(self, code: CodeType) -> int:
        kind = self._kinds.get(code)
        if kind is None:
            kind = self._kinds[code] = _kind(code.co_filename)
        return kind

    def _enter(
        self, key: tuple[CodeType, int, CodeType | None, int], frame: FrameType, beside: FrameType | None
    ) -> int:
        number = len(self._numbers) + 1
        self._numbers[key] = number
        code = frame.f_code
        self.files.add(code.co_filename)
        extra: tuple[object, ...] = (None, None, None)
        if beside is not None:
            extra = (_short(beside.f_code.co_filename), beside.f_lineno, beside.f_code.co_name)
        name = "" if code.co_name == "<module>" else code.co_name
        self._announce((number, self.relative(code.co_filename), frame.f_lineno, name, *extra))
        return number


def is_user_code(file: str) -> bool:
    return _kind(file) == _USER


def _kind(file: str) -> int:
    if file.startswith("<"):
        return _USER if file.startswith(("<ipython", "<stdin", "<wellposed")) else _PLUMBING
    if file.startswith(_OWN_FOLDER):
        return _PLUMBING
    if any(part in file for part in _INSTALLED):
        if _TORCH_FOLDER in file:
            return _PLUMBING if file.endswith(_TORCH_PLUMBING) else _TORCH
        return _LIBRARY
    if file.startswith(_STANDARD_LIBRARY):
        return _PLUMBING
    return _USER


def _short(file: str) -> str:
    """A library's file without the folder it is installed in."""
    for part in _INSTALLED:
        if part in file:
            return file.rsplit(part, 1)[1]
    return file
