"""The tables of a recording; docs/record.md tells what each column means. Raise VERSION with every change."""

from __future__ import annotations

VERSION = 3
APPLICATION_ID = 0x77656C6C
"""Written in SQLite's header ("well"), so that a record is told from any other database."""

STATISTICS_COLUMNS = (
    "count", "nan", "positive_infinity", "negative_infinity", "zero", "subnormal", "minimum", "maximum",
    "smallest_nonzero", "mean", "standard_deviation", "root_mean_square", "saturated",
)  # fmt: skip

_STATISTICS = """
    count INTEGER, nan INTEGER, positive_infinity INTEGER, negative_infinity INTEGER, zero INTEGER,
    subnormal INTEGER, minimum REAL, maximum REAL, smallest_nonzero REAL, mean REAL, standard_deviation REAL,
    root_mean_square REAL, saturated INTEGER
"""

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE source (file TEXT PRIMARY KEY, text TEXT);
CREATE TABLE operator (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE module (id INTEGER PRIMARY KEY, path TEXT NOT NULL, site INTEGER, class TEXT);
CREATE TABLE site (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, line INTEGER NOT NULL, function TEXT NOT NULL,
    library_file TEXT, library_line INTEGER, library_function TEXT
);
CREATE TABLE step (
    id INTEGER PRIMARY KEY, level TEXT NOT NULL, loss, learning_rate REAL, gradient_norm,
    gradient_nonfinite INTEGER, update_norm, scale REAL, skipped INTEGER NOT NULL DEFAULT 0,
    seconds REAL, recording_seconds REAL, loss_operation INTEGER, backwards INTEGER, curvature REAL,
    backward_site INTEGER
);
CREATE TABLE operation (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, call INTEGER NOT NULL, phase INTEGER NOT NULL,
    operator INTEGER NOT NULL, site INTEGER, module INTEGER, seconds REAL, forward INTEGER, is_view INTEGER NOT NULL,
    nonfinite_in INTEGER NOT NULL, nonfinite_out INTEGER NOT NULL, arguments TEXT
);
CREATE INDEX operation_step ON operation (step);
CREATE INDEX operation_nonfinite ON operation (id) WHERE nonfinite_out > 0;
CREATE TABLE operand (
    operation INTEGER NOT NULL, is_output INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT,
    shape TEXT NOT NULL, dtype TEXT NOT NULL, device TEXT NOT NULL, producer INTEGER, label TEXT, {_STATISTICS},
    PRIMARY KEY (operation, is_output, position)
) WITHOUT ROWID;
CREATE INDEX operand_producer ON operand (producer) WHERE producer IS NOT NULL;
CREATE TABLE probe (operation INTEGER NOT NULL, name TEXT NOT NULL, value TEXT, PRIMARY KEY (operation, name))
    WITHOUT ROWID;
CREATE TABLE parameter (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, shape TEXT NOT NULL, dtype TEXT NOT NULL, module TEXT,
    fan_in INTEGER, fan_out INTEGER, site INTEGER, units INTEGER, distinct_units INTEGER, {_STATISTICS}
);
CREATE TABLE parameter_step (
    step INTEGER NOT NULL, parameter INTEGER NOT NULL, weight_rms REAL, update_ratio REAL, unchanged REAL,
    silent_units INTEGER, adam_ratio REAL, {_STATISTICS},
    PRIMARY KEY (step, parameter)
) WITHOUT ROWID;
CREATE TABLE exponents (
    step INTEGER NOT NULL, parameter INTEGER NOT NULL, lowest INTEGER NOT NULL, counts TEXT NOT NULL,
    zero INTEGER NOT NULL,
    PRIMARY KEY (step, parameter)
) WITHOUT ROWID;
CREATE TABLE result_exponents (
    operation INTEGER NOT NULL, position INTEGER NOT NULL, lowest INTEGER NOT NULL, counts TEXT NOT NULL,
    zero INTEGER NOT NULL,
    PRIMARY KEY (operation, position)
) WITHOUT ROWID;
CREATE TABLE module_step (
    step INTEGER NOT NULL, module INTEGER NOT NULL, {_STATISTICS},
    PRIMARY KEY (step, module)
) WITHOUT ROWID;
CREATE TABLE event (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, kind TEXT NOT NULL, site INTEGER, details TEXT
);
"""


COLUMNS = {
    "source": ("file", "text"),
    "operator": ("id", "name"),
    "module": ("id", "path", "site", "class"),
    "site": ("id", "file", "line", "function", "library_file", "library_line", "library_function"),
    "step": (
        "id", "level", "loss", "learning_rate", "gradient_norm", "gradient_nonfinite", "update_norm", "scale",
        "skipped", "seconds", "recording_seconds", "loss_operation", "backwards", "curvature",
        "backward_site",
    ),
    "operation": (
        "id", "step", "call", "phase", "operator", "site", "module", "seconds", "forward", "is_view",
        "nonfinite_in", "nonfinite_out", "arguments",
    ),
    "operand": (
        "operation", "is_output", "position", "name", "shape", "dtype", "device", "producer", "label",
        *STATISTICS_COLUMNS,
    ),
    "probe": ("operation", "name", "value"),
    "parameter": (
        "id", "name", "shape", "dtype", "module", "fan_in", "fan_out", "site", "units", "distinct_units",
        *STATISTICS_COLUMNS,
    ),
    "parameter_step": (
        "step", "parameter", "weight_rms", "update_ratio", "unchanged", "silent_units", "adam_ratio",
        *STATISTICS_COLUMNS,
    ),
    "exponents": ("step", "parameter", "lowest", "counts", "zero"),
    "result_exponents": ("operation", "position", "lowest", "counts", "zero"),
    "module_step": ("step", "module", *STATISTICS_COLUMNS),
    "event": ("id", "step", "kind", "site", "details"),
}  # fmt: skip
"""The columns of each table that the writer fills, in order."""
