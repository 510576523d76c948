"""Takes the recorder's frames out of tracebacks, so that a program fails as it would without us."""

from __future__ import annotations

import os
import types

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# PyTorch's own frames that are there only because a dispatch mode is: around its entry, and under its exit.
_BEFORE_OWN = tuple(os.path.join(*parts) for parts in (("torch", "_compile.py"), ("torch", "_dynamo", "eval_frame.py")))
_AFTER_OWN = (os.path.join("torch", "_ops.py"),)


def without_own_frames(error: BaseException) -> None:
    """Drop our frames from the traceback of `error`, of its causes and contexts, and of the members of a group."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = _cleaned(each.__traceback__)
        waiting.extend(other for other in (each.__cause__, each.__context__) if other is not None)
        members = getattr(each, "exceptions", ())
        if isinstance(members, tuple):
            waiting.extend(member for member in members if isinstance(member, BaseException))


def _cleaned(traceback: types.TracebackType | None) -> types.TracebackType | None:
    entries: list[types.TracebackType] = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    files = [entry.tb_frame.f_code.co_filename for entry in entries]
    ours = [file.startswith(_OWN_FOLDER) for file in files]
    if not any(ours):
        return entries[0] if entries else None
    drop = list(ours)
    for index, own in enumerate(ours):
        if own:
            _mark(drop, files, range(index - 1, -1, -1), _BEFORE_OWN)
            _mark(drop, files, range(index + 1, len(files)), _AFTER_OWN)
    rebuilt: types.TracebackType | None = None
    for entry, dropped in zip(reversed(entries), reversed(drop), strict=True):
        if not dropped:
            rebuilt = types.TracebackType(rebuilt, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rebuilt


def _mark(drop: list[bool], files: list[str], indices: range, endings: tuple[str, ...]) -> None:
    for index in indices:
        if not files[index].endswith(endings):
            return
        drop[index] = True
