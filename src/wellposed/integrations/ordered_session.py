"""What one use of `ordered` holds: what was rewritten, and what is not evaluated yet."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wellposed.chain.lazy import Library, Node, Rewrite, Site, evaluate

_OWN_FOLDER = str(Path(__file__).resolve().parent.parent) + os.sep
_LIBRARIES = tuple(
    f"{os.sep}{folder}{os.sep}{name}{os.sep}"
    for folder in ("site-packages", "dist-packages")
    for name in ("torch", "numpy")
)


def here() -> Site | None:
    """The innermost line that is not in this package, NumPy or PyTorch."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_OWN_FOLDER) and not any(part in file for part in _LIBRARIES):
            return Site(file, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


class Session:
    """The products of one context or one call of a decorated function."""

    def __init__(self) -> None:
        self._counts: dict[Rewrite, int] = {}
        self._live: dict[int, tuple[weakref.ref[Any], Node, Library]] = {}
        self.exposed: dict[int, Any] = {}
        """Owners of memory that was handed out, by their id."""
        # Lazy values may be handed to other threads.
        self._lock = threading.RLock()

    @property
    def rewrites(self) -> list[Rewrite]:
        """The chains that were multiplied, in the sequence of their first evaluation."""
        return [rewrite._replace(times=times) for rewrite, times in list(self._counts.items())]

    def hold(self, handle: Any, node: Node, library: Library) -> None:
        """The user holds `handle`, whose value is to be that of `node`."""
        number, live = id(node), self._live
        node.handle = weakref.ref(handle, lambda _: live.pop(number, None))
        live[number] = (node.handle, node, library)

    def value(self, node: Node, library: Library) -> Any:
        """The value of a node, evaluated where it is not there yet."""
        with self._lock:
            if node.value is None:
                evaluate(node, library, self._tell)
            self._live.pop(id(node), None)
            return node.value

    def _tell(self, rewrite: Rewrite) -> None:
        self._counts[rewrite] = self._counts.get(rewrite, 0) + 1

    @property
    def waits(self) -> bool:
        """Whether anything that the user holds is not evaluated yet."""
        return bool(self._live)

    def settle(self, concerns: Callable[[Node], bool] | None = None) -> None:
        """Evaluate what the user holds; only what is made of values that `concerns` says yes to, where it is given."""
        with self._lock:
            waiting = [
                (node, library) for reference, node, library in list(self._live.values()) if reference() is not None
            ]
            # Those were all made to be used: what others are made of is computed first, and once.
            for node, library in waiting:
                if concerns is None or _rests_on(node, concerns):
                    self.value(node, library)


def _rests_on(node: Node, concerns: Callable[[Node], bool]) -> bool:
    seen: set[Node] = set()
    work = [node]
    while work:
        below = work.pop()
        if below in seen:
            continue
        seen.add(below)
        if below.value is not None:
            if concerns(below):
                return True
            continue
        work += [child for child in (below.left, below.right) if child is not None]
    return False
