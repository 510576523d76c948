"""Writes what happens once: events, places in the source, and the text of the user's files."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from wellposed.capture.sites import Sites
from wellposed.record import RecordWriter

_LARGEST_SOURCE = 1_000_000


class Notes:
    """Numbers the events; keeps each of the user's files once."""

    def __init__(self, writer: RecordWriter, folder: str):
        self._writer = writer
        self.sites = Sites(folder, self._new_site)
        self._folder = folder
        self._rows: dict[int, tuple[Any, ...]] = {}
        self._events = 0
        self._files: set[str] = set()
        self._said: set[str] = set()

    def event(self, step: int, kind: str, details: dict[str, Any], site: int = -1, *, once: bool = False) -> bool:
        """Write an event; with `once`, only the first of its kind. Returns whether it was written."""
        if once and kind in self._said:
            return False
        self._said.add(kind)
        self._events += 1
        self._writer.add(
            "event", [(self._events, step, kind, site if site > 0 else None, json.dumps(details, default=plain))]
        )
        return True

    def said(self, kind: str) -> bool:
        return kind in self._said

    def place(self, site: int) -> tuple[str, tuple[Any, ...]] | None:
        """The user's file, absolute, and the place's row in the table ``site``; None where there is no such place."""
        row = self._rows.get(site)
        return None if row is None else (os.path.join(self._folder, row[1]), row)

    def _new_site(self, row: tuple[Any, ...]) -> None:
        self._rows[row[0]] = row
        self._writer.add("site", [row])
        for file in self.sites.files - self._files:
            self._files.add(file)
            with contextlib.suppress(OSError, UnicodeDecodeError), open(file, encoding="utf-8") as stream:
                self._writer.add("source", [(self.sites.relative(file), stream.read(_LARGEST_SOURCE))])


def plain(value: Any) -> str:
    """What JSON does not know (dtypes, devices, memory formats) as PyTorch prints it."""
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "…"
