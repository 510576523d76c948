"""Reads a recording. A record is untrusted input: whatever is wrong with it becomes one RecordError."""

from __future__ import annotations

import functools
import json
import math
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from wellposed.record import schema
from wellposed.record.columns import (
    to_counts,
    to_integer,
    to_number,
    to_object,
    to_operand,
    to_shape,
    to_statistics,
    to_text,
)
from wellposed.record.model import (
    PHASES,
    Event,
    Exponents,
    Module,
    ModuleStep,
    Operand,
    Operation,
    Parameter,
    ParameterStep,
    Phase,
    Program,
    Site,
    Spread,
    Step,
    operator_base,
)

_CACHED_OPERATIONS = 50_000
_CHUNK = 500
_T = TypeVar("_T")


class RecordError(Exception):
    """The file is no readable record; the message is one sentence for the user."""


def _guarded(method: Callable[..., _T]) -> Callable[..., _T]:
    """Whatever a garbled file makes the database or the conversions raise becomes a RecordError."""

    @functools.wraps(method)
    def call(self: Record, *args: Any, **kwargs: Any) -> _T:
        try:
            return method(self, *args, **kwargs)
        except (
            sqlite3.Error,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            OverflowError,
            AttributeError,
            RecursionError,
        ) as error:
            raise RecordError(f"{self.path} is damaged ({type(error).__name__}: {error})") from error

    return call


class Record:
    """A recording, open for reading; it may still be being written.

    Operations are read as they are asked for, and the recent ones kept.
    """

    def __init__(self, path: str | Path):
        """Open it. Raises RecordError where the file is missing, no record, or of another version."""
        self.path = Path(path)
        self._connection = _open(self.path)
        self._operations: OrderedDict[int, Operation | None] = OrderedDict()
        self._steps: tuple[int, list[Step]] | None = None

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the whole program ------------------------------------------------------------------------------------

    @functools.cached_property
    def program(self) -> Program:
        return self._program()

    @_guarded
    def _program(self) -> Program:
        meta = self.meta
        return Program(
            argv=tuple(str(word) for word in meta.get("argv", ())),
            folder=str(meta.get("folder", "")),
            exit_code=to_integer(meta.get("exit_code")),
            error=to_text(meta.get("error")),
            started=str(meta.get("started", "")),
            wall_seconds=to_number(meta.get("wall_seconds")),
            recording_seconds=to_number(meta.get("recording_seconds")),
            operations=int(meta.get("operations", 0)),
            rank=to_integer(meta.get("rank")),
            world_size=to_integer(meta.get("world_size")),
            versions={str(name): str(version) for name, version in dict(meta.get("versions", {})).items()},
        )

    @functools.cached_property
    def meta(self) -> dict[str, Any]:
        return self._meta()

    @_guarded
    def _meta(self) -> dict[str, Any]:
        return {key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM meta")}

    @_guarded
    def source(self, file: str) -> str | None:
        """The text of a file of the user's, as it was when it ran; None where it was not kept."""
        if not _storable(file):
            return None
        row = self._connection.execute("SELECT text FROM source WHERE file = ?", (file,)).fetchone()
        return str(row[0]) if row else None

    @_guarded
    def source_files(self) -> list[str]:
        return [str(row[0]) for row in self._connection.execute("SELECT file FROM source ORDER BY file")]

    # --- steps, parameters, events ----------------------------------------------------------------------------

    @_guarded
    def steps(self) -> list[Step]:
        # A diagnosis asks dozens of times. The number changes when the program that is being recorded has written.
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        if self._steps is None or self._steps[0] != version:
            self._steps = version, self._read_steps()
        return list(self._steps[1])

    def _read_steps(self) -> list[Step]:
        rows = self._connection.execute(f"SELECT {','.join(schema.COLUMNS['step'])} FROM step ORDER BY id")
        return [
            Step(
                id=int(row[0]), level=row[1], loss=to_number(row[2]), learning_rate=to_number(row[3]),
                gradient_norm=to_number(row[4]), gradient_nonfinite=to_integer(row[5]), update_norm=to_number(row[6]),
                scale=to_number(row[7]), skipped=bool(row[8]), seconds=to_number(row[9]),
                recording_seconds=to_number(row[10]), loss_operation=to_integer(row[11]),
                backwards=to_integer(row[12]), curvature=to_number(row[13]), backward_site=self._site(row[14]),
            )
            for row in rows
        ]  # fmt: skip

    @_guarded
    def parameters(self) -> list[Parameter]:
        rows = self._connection.execute(f"SELECT {','.join(schema.COLUMNS['parameter'])} FROM parameter ORDER BY id")
        return [
            Parameter(
                id=int(row[0]), name=str(row[1]), shape=to_shape(row[2]), dtype=str(row[3]), module=str(row[4] or ""),
                fan_in=to_integer(row[5]), fan_out=to_integer(row[6]), site=self._site(row[7]),
                units=to_integer(row[8]), distinct_units=to_integer(row[9]), initial=to_statistics(row[10:]),
            )
            for row in rows
        ]  # fmt: skip

    @_guarded
    def parameter_steps(self, parameter: int | None = None, step: int | None = None) -> list[ParameterStep]:
        where, values = _conditions(parameter=parameter, step=step)
        rows = self._connection.execute(
            f"SELECT {','.join(schema.COLUMNS['parameter_step'])} FROM parameter_step {where} ORDER BY step, parameter",
            values,
        )
        return [
            ParameterStep(
                step=int(row[0]),
                parameter=int(row[1]),
                weight_rms=to_number(row[2]),
                update_ratio=to_number(row[3]),
                unchanged=to_number(row[4]),
                silent_units=to_integer(row[5]),
                adam_ratio=to_number(row[6]),
                gradient=to_statistics(row[7:]),
            )
            for row in rows
        ]

    @_guarded
    def exponents(self, step: int | None = None) -> list[Exponents]:
        """Histograms of the gradients' exponents, by step and parameter."""
        where, values = _conditions(step=step)
        rows = self._connection.execute(
            f"SELECT {','.join(schema.COLUMNS['exponents'])} FROM exponents {where} ORDER BY step, parameter", values
        )
        return [Exponents(int(row[0]), int(row[1]), int(row[2]), to_counts(row[3]), int(row[4])) for row in rows]

    @_guarded
    def result_exponents(self) -> dict[tuple[int, int], Spread]:
        """How results are spread, by operation and position of the output; empty where nobody asked for it."""
        rows = self._connection.execute(f"SELECT {','.join(schema.COLUMNS['result_exponents'])} FROM result_exponents")
        return {(int(row[0]), int(row[1])): Spread(int(row[2]), to_counts(row[3]), int(row[4])) for row in rows}

    @_guarded
    def module_steps(self, step: int | None = None) -> list[ModuleStep]:
        where, values = _conditions(step=step)
        rows = self._connection.execute(
            f"SELECT {','.join(schema.COLUMNS['module_step'])} FROM module_step {where} ORDER BY step, module", values
        )
        paths = self._module_paths
        read = ((int(row[0]), paths.get(row[1], ""), to_statistics(row[2:])) for row in rows)
        return [ModuleStep(step, module, output) for step, module, output in read if output is not None]

    @_guarded
    def gradient_steps(self) -> list[int]:
        """The steps at which parameters were measured, in order; cheap beside reading the measurements."""
        return [int(row[0]) for row in self._connection.execute("SELECT DISTINCT step FROM parameter_step ORDER BY 1")]

    @_guarded
    def events(self, *kinds: str) -> list[Event]:
        rows = self._connection.execute("SELECT id, step, kind, site, details FROM event ORDER BY id")
        return [
            Event(
                id=int(row[0]),
                step=int(row[1]),
                kind=str(row[2]),
                site=self._site(row[3]),
                details=to_object(row[4]),
            )
            for row in rows
            if not kinds or row[2] in kinds
        ]

    # --- operations -------------------------------------------------------------------------------------------

    @_guarded
    def operation(self, operation: int) -> Operation | None:
        """The operation of this id; None where it was not recorded."""
        if operation not in self._operations:
            self._load([operation])
        return self._operations.get(operation)

    @_guarded
    def operations(
        self,
        *operators: str,
        step: int | None = None,
        phase: Phase | None = None,
        nonfinite: bool = False,
        dtype: str | None = None,
        first: int | None = None,
        last: int | None = None,
    ) -> Iterator[Operation]:
        """Recorded operations in order, filtered.

        `operators` are full names (``aten.log.default``) or base names (``log``, which includes ``aten.log_.default``);
        `nonfinite` keeps those that made a NaN or an infinity, `dtype` those with a result of that dtype; `first` and
        `last` bound the ids, inclusive.
        """
        where, values = _conditions(step=step, phase=None if phase is None else PHASES.index(phase))
        clauses = [where.removeprefix("WHERE ")] if where else []
        if operators:
            wanted = [number for number, name in self._operator_names.items() if _matches(name, operators)]
            clauses.append(f"operator IN ({','.join(map(str, wanted))})")
        if nonfinite:
            clauses.append("nonfinite_out > 0")
        if dtype is not None:
            clauses.append("id IN (SELECT operation FROM operand WHERE is_output = 1 AND dtype = ?)")
            values.append(dtype)
        if first is not None:
            clauses.append(f"id >= {int(first)}")
        if last is not None:
            clauses.append(f"id <= {int(last)}")
        condition = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        ids = [row[0] for row in self._connection.execute(f"SELECT id FROM operation {condition} ORDER BY id", values)]
        return self._in_order(ids)

    @_guarded
    def consumers(self, operation: int) -> list[Operation]:
        """The recorded operations that read what this one wrote, in order."""
        rows = self._connection.execute(
            "SELECT DISTINCT operation FROM operand WHERE producer = ? AND is_output = 0 ORDER BY operation",
            (operation,),
        )
        return list(self._in_order([row[0] for row in rows]))

    @_guarded
    def modules(self) -> dict[str, Module]:
        """The modules that ran, by path."""
        rows = self._connection.execute("SELECT path, site, class FROM module ORDER BY id")
        return {str(path): Module(str(path), self._site(site), str(name or "")) for path, site, name in rows}

    @_guarded
    def module_outputs(self) -> list[tuple[int, str, float]]:
        """Step, module path and rms of what each module's forward made last, per recorded step, in order.

        The rms is NaN where that output held anything non-finite. Costs one query, not a walk over the operations.
        """
        rows = self._connection.execute(
            """
            SELECT last.step, module.path, CASE WHEN last.nonfinite_out THEN NULL ELSE operand.root_mean_square END
            FROM (
                SELECT MAX(id) AS id, step, module, nonfinite_out FROM operation
                WHERE phase = 0 AND is_view = 0 GROUP BY step, module
            ) AS last
            JOIN module ON module.id = last.module
            JOIN operand ON operand.operation = last.id AND operand.is_output = 1 AND operand.position = 0
            WHERE operand.count IS NOT NULL AND module.path <> ''
            ORDER BY last.step, last.id
            """
        )
        return [(int(step), str(path), math.nan if rms is None else float(rms)) for step, path, rms in rows]

    @_guarded
    def recorded_operations(self) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM operation").fetchone()[0])

    def _in_order(self, ids: Sequence[int]) -> Iterator[Operation]:
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            self._load([each for each in chunk if each not in self._operations])
            for each in chunk:
                found = self.operation(each)
                if found is not None:
                    yield found

    @_guarded
    def _load(self, ids: Iterable[int]) -> None:
        wanted = list(ids)
        if not wanted:
            return
        marks = ",".join("?" * len(wanted))
        operands: dict[int, tuple[list[Operand], list[Operand]]] = {each: ([], []) for each in wanted}
        for row in self._connection.execute(
            f"SELECT {','.join(schema.COLUMNS['operand'])} FROM operand WHERE operation IN ({marks}) "
            "ORDER BY operation, is_output, position",
            wanted,
        ):
            operands[row[0]][1 if row[1] else 0].append(to_operand(row))
        probes: dict[int, dict[str, Any]] = {}
        for number, name, value in self._connection.execute(
            f"SELECT operation, name, value FROM probe WHERE operation IN ({marks})", wanted
        ):
            probes.setdefault(number, {})[str(name)] = json.loads(value)
        for row in self._connection.execute(
            f"SELECT {','.join(schema.COLUMNS['operation'])} FROM operation WHERE id IN ({marks})", wanted
        ):
            inputs, outputs = operands[row[0]]
            self._operations[row[0]] = Operation(
                id=int(row[0]), step=int(row[1]), call=int(row[2]), phase=PHASES[row[3]],
                operator=self._operator_names[row[4]], site=self._site(row[5]),
                module=self._module_paths.get(row[6], ""), seconds=to_number(row[7]) or 0.0,
                forward=to_integer(row[8]), is_view=bool(row[9]), arguments=to_object(row[12]),
                inputs=tuple(inputs), outputs=tuple(outputs), probes=probes.get(row[0], {}),
            )  # fmt: skip
        for each in wanted:
            self._operations.setdefault(each, None)
        while len(self._operations) > _CACHED_OPERATIONS:
            self._operations.popitem(last=False)

    # Names are looked up again while a record grows, so these are not cached for good.

    @property
    def _operator_names(self) -> dict[int, str]:
        return self._names("operator", "name")

    @property
    def _module_paths(self) -> dict[int, str]:
        return self._names("module", "path")

    def _names(self, table: str, column: str) -> dict[int, str]:
        cache: dict[str, tuple[int, dict[int, str]]] = self.__dict__.setdefault("_name_cache", {})
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if table not in cache or cache[table][0] != version:
            rows = self._connection.execute(f"SELECT id, {column} FROM {table}")
            cache[table] = (version, {int(number): str(name) for number, name in rows})
        return cache[table][1]

    def _site(self, site: int | None) -> Site | None:
        if site is None:
            return None
        cache: dict[int, Site] = self.__dict__.setdefault("_site_cache", {})
        if site not in cache:
            row = self._connection.execute(
                f"SELECT {','.join(schema.COLUMNS['site'])} FROM site WHERE id = ?", (site,)
            ).fetchone()
            if row is None:
                return None
            cache[site] = Site(
                int(row[0]), str(row[1]), int(row[2]), str(row[3]), to_text(row[4]), to_integer(row[5]), to_text(row[6])
            )
        return cache[site]


def _open(path: Path) -> sqlite3.Connection:
    if path.is_dir():
        raise RecordError(f"{path} is a folder, not a record")
    if not path.is_file():
        raise RecordError(f"there is no record at {path}")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except (sqlite3.Error, UnicodeError) as error:  # the text of an error may itself be garbled
        raise RecordError(f"{path} is no wellposed record, or a damaged one: {error}") from error
    if application != schema.APPLICATION_ID:
        connection.close()
        raise RecordError(f"{path} is no wellposed record")
    if version != schema.VERSION:
        connection.close()
        raise RecordError(
            f"{path} has version {version} of the record format, this wellposed reads version {schema.VERSION}"
        )
    _refuse_programs(path, connection)
    return connection


def _refuse_programs(path: Path, connection: sqlite3.Connection) -> None:
    """A record holds plain tables: a view or a trigger would run whatever its author wrote, for as long as it likes."""
    try:
        others = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
        ).fetchone()
    except (sqlite3.Error, UnicodeError) as error:  # the text of an error may itself be garbled
        connection.close()
        raise RecordError(f"{path} is damaged ({error})") from error
    if others:
        connection.close()
        raise RecordError(f"{path} is no wellposed record: it holds more than plain tables")


def _storable(text: str) -> bool:
    """Whether the database can hold it: a file name that is no UTF-8 reaches us with lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _conditions(**equal: int | None) -> tuple[str, list[int | str]]:
    given: dict[str, int | str] = {column: value for column, value in equal.items() if value is not None}
    where = "WHERE " + " AND ".join(f"{column} = ?" for column in given) if given else ""
    return where, list(given.values())


def _matches(name: str, wanted: Sequence[str]) -> bool:
    return name in wanted or operator_base(name) in wanted
