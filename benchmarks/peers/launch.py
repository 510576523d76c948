"""Runs one unmodified program under one peer, in the process that it is called in, and tells what the peer said."""

from __future__ import annotations

import io
import os
import runpy
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.adapters import adapter
from benchmarks.peers.messages import Answer
from benchmarks.peers.watching import Watch

KEPT_CHARACTERS = 4000
"""Of what was printed; enough for the report of every peer."""


class Memory(io.TextIOBase):
    """Takes what the program and the peer print."""

    def __init__(self, said: list[str]):
        self._said = said

    def write(self, text: str) -> int:
        self._said.append(text)
        return len(text)


def launch(peer: str, program: Path, write: Callable[[Answer], object]) -> None:
    """Run `program` as `python program` would, and hand the answer to `write`."""
    os.chdir(program.parent)
    sys.argv, sys.path[:0] = [str(program)], [str(program.parent)]
    said: list[str] = []
    sys.stdout = sys.stderr = Memory(said)
    watch, ended = Watch(program), None
    collect = adapter(peer).install(watch)
    watch.start()
    began = time.perf_counter()
    try:
        runpy.run_path(str(program), run_name="__main__")
    except BaseException as error:
        traceback.print_exc()
        ended = error
    seconds = round(time.perf_counter() - began, 2)
    messages, attached = collect(ended, "".join(said))
    output = "".join(said).replace(str(program.parent) + os.sep, "")[-KEPT_CHARACTERS:]
    write(Answer(tuple(messages), attached, _in_words(ended), seconds, output))


def _in_words(ended: BaseException | None) -> str | None:
    if ended is None or (isinstance(ended, SystemExit) and not ended.code):
        return None
    return f"{type(ended).__name__}: {ended}"[:500]
