"""The user's line that called NumPy. Knows frames and files, neither NumPy nor PyTorch."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import CodeType

from wellposed.findings import Location

_OWN = str(Path(__file__).resolve().parent.parent) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD = tuple(
    folder + os.sep
    for name in ("stdlib", "platstdlib")
    for folder in (sysconfig.get_path(name), str(Path(sysconfig.get_path(name)).resolve()))
)


def user_place(folder: str | None = None) -> Callable[[], tuple[Location, str]]:
    """A function that tells the innermost line of the user's code and its text, whoever calls it.

    Files under `folder` are told relative to it. Where no frame is the user's, the place is unknown and the text empty.
    """
    known: dict[tuple[CodeType, int], tuple[Location, str]] = {}
    users: dict[CodeType, bool] = {}
    start = os.path.abspath(folder) + os.sep if folder else None

    def here() -> tuple[Location, str]:
        frame = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            user = users.get(code)
            if user is None:
                user = users[code] = _is_user(code.co_filename)
            if user:
                line = frame.f_lineno
                place = known.get((code, line))
                if place is None:
                    file = code.co_filename
                    text = linecache.getline(file, line).strip()
                    if start and os.path.abspath(file).startswith(start):
                        file = os.path.abspath(file)[len(start) :]
                    name = None if code.co_name == "<module>" else code.co_name
                    place = known[code, line] = (Location(file, line, name), text)
                return place
            frame = frame.f_back  # type: ignore[assignment]
        return Location(), ""

    return here


def _is_user(file: str) -> bool:
    if file.startswith("<"):
        return file.startswith(("<ipython", "<stdin", "<wellposed"))
    return not (file.startswith((_OWN, *_STANDARD)) or any(part in file for part in _INSTALLED))
