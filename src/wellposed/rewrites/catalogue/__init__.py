"""The entries, one TOML file a family, and what loads them.

A new entry is a new table: see docs/rewrites.md for its keys. Its `fails` lines are measured and written by
``python -m tests.rewrites.measure NAME``.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import sys
from importlib import resources
from typing import Any

from wellposed.rewrites.entry import CatalogueError, Rewrite, entry


class UnknownRewriteError(LookupError):
    """No rewrite has this name; the message names the nearest."""


@functools.cache
def all_rewrites() -> tuple[Rewrite, ...]:
    """Every entry, by family and in the order of the file. Raises CatalogueError where one is malformed."""
    found: dict[str, Rewrite] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".toml"):
            continue
        for rewrite in read(file.read_text("utf-8"), file.name.removesuffix(".toml")):
            if rewrite.name in found:
                raise CatalogueError(f"{rewrite.family}.toml: [{rewrite.name}] is in {found[rewrite.name].family} too")
            found[rewrite.name] = rewrite
    return tuple(found.values())


def read(text: str, family: str) -> list[Rewrite]:
    """The entries of one file's text. Raises CatalogueError."""
    # tomli is what became tomllib in Python 3.11.
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except ValueError as error:
        raise CatalogueError(f"{family}.toml is no valid TOML: {error}") from None
    stray = next((name for name, table in tables.items() if not isinstance(table, dict)), None)
    if stray is not None:
        raise CatalogueError(f"{family}.toml: {stray} stands outside a table")
    return [entry(name, table, family) for name, table in tables.items()]


def find(name: str) -> Rewrite:
    """The entry of this name. Raises UnknownRewriteError with the nearest names."""
    wanted = name.strip().lower()
    names = [rewrite.name for rewrite in all_rewrites()]
    if wanted in names:
        return all_rewrites()[names.index(wanted)]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownRewriteError(f"there is no rewrite {name!r}{hint}")
