"""Writes a recording: one SQLite file in WAL mode, so that what was committed survives a crash or kill -9."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wellposed.record import schema

_BATCH_ROWS = 20_000


class RecordExistsError(FileExistsError):
    """The file is there already and is not a record of the same program."""


class RecordWriter:
    """Buffers rows and writes them in batches; `commit` makes everything buffered durable and visible to readers.

    Safe to call from several threads. In a forked child it does nothing: the parent owns the file.
    """

    def __init__(self, path: Path, *, meta: dict[str, Any], max_bytes: int | None = None, force: bool = False):
        """Create the file.

        A record whose ``script`` in `meta` is the same is replaced. Raises RecordExistsError where `path` holds
        anything else, unless `force`; OSError or sqlite3.OperationalError where it cannot be written.
        """
        self.path = path
        self.max_bytes = max_bytes
        self.full = False
        """Whether `max_bytes` is reached: then rows of operations are dropped, everything else still written."""
        _make_way(path, meta.get("script"), force=force)
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._pending: dict[str, list[Sequence[Any]]] = {}
        self._rows = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version={schema.VERSION}")
        self._connection.execute("BEGIN")
        for statement in schema.TABLES.split(";"):
            if statement.strip():
                self._connection.execute(statement)
        self._write_meta(meta)
        self._connection.execute("COMMIT")

    def add(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Buffer rows of `table`, in the order of `schema.COLUMNS`."""
        if os.getpid() != self._process or (self.full and table in ("operation", "operand", "result_exponents")):
            return
        with self._lock:
            pending = self._pending.setdefault(table, [])
            before = len(pending)
            pending.extend(rows)
            self._rows += len(pending) - before
            if self._rows >= _BATCH_ROWS:
                self.commit()

    def set_meta(self, **values: Any) -> None:
        """Store facts about the whole program (JSON values) at once."""
        if os.getpid() == self._process:
            with self._lock:
                self._write_meta(values)

    def commit(self) -> None:
        """Write what is buffered in one transaction."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if not self._rows:
                return
            pending, self._pending, self._rows = self._pending, {}, 0
            self._connection.execute("BEGIN")
            try:
                for table, rows in pending.items():
                    columns = schema.COLUMNS[table]
                    marks = ",".join("?" * len(columns))
                    self._connection.executemany(
                        f"INSERT OR REPLACE INTO {table} ({','.join(columns)}) VALUES ({marks})", rows
                    )
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            if self.max_bytes is not None and not self.full and self.bytes_used() >= self.max_bytes:
                self.full = True
                self._write_meta({"size_limit_reached": True})

    def bytes_used(self) -> int:
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        size = self._connection.execute("PRAGMA page_size").fetchone()[0]
        return int(pages * size)

    def close(self) -> None:
        """Commit and leave one plain file behind (no WAL beside it)."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self.commit()
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA journal_mode=DELETE")
            self._connection.close()

    def _write_meta(self, values: dict[str, Any]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            [(key, json.dumps(value)) for key, value in values.items()],
        )


def number(value: float | None) -> float | str | None:
    """A number as stored where NaN must be told from "not known": SQLite turns a NaN into NULL."""
    return "nan" if value is not None and math.isnan(value) else value


def _make_way(path: Path, script: Any, *, force: bool) -> None:
    if not path.exists():
        return
    if not force and _script_of(path) != script:
        raise RecordExistsError(
            f"{path} exists and is no record of this script; choose another name with -o, or --force"
        )
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        name.unlink(missing_ok=True)


def _script_of(path: Path) -> Any:
    """The script that the record at `path` is of; None where it is no record."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT value FROM meta WHERE key = 'script'").fetchone()
            return json.loads(row[0]) if row else None
        finally:
            connection.close()
    except (sqlite3.Error, ValueError):
        return None
