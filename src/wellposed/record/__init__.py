"""A recording of a program: the schema, the writer and the reader. Plain columns; knows nobody."""

from wellposed.record.model import (
    PHASES,
    Event,
    Exponents,
    Level,
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
    Statistics,
    Step,
    operator_base,
)
from wellposed.record.reader import Record, RecordError
from wellposed.record.writer import RecordExistsError, RecordWriter

__all__ = [
    "PHASES",
    "Event",
    "Exponents",
    "Level",
    "Module",
    "ModuleStep",
    "Operand",
    "Operation",
    "Parameter",
    "ParameterStep",
    "Phase",
    "Program",
    "Record",
    "RecordError",
    "RecordExistsError",
    "RecordWriter",
    "Site",
    "Spread",
    "Statistics",
    "Step",
    "operator_base",
]
